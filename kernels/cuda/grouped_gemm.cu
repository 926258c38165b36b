#include "kernels/cuda/grouped_gemm.h"

namespace moe::cuda {
namespace {

/// All phases of a tile; the thread's elements are in `own` afterwards.
template <class AnyTile>
__device__ void compute(const AnyTile& tile, TileThread& own) {
  __shared__ TileStep shared;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t steps = tile.steps();
  tile.clear(own);
  if (steps > 0) tile.fetch(0, thread, own);
  for (std::int64_t step = 0; step < steps; ++step) {
    tile.stash(thread, own, shared);
    __syncthreads();
    if (step + 1 < steps) tile.fetch(step + 1, thread, own);  // on its way while this step is multiplied
    tile.multiply(thread, shared, own);
    __syncthreads();
  }
}

template <bool transposed>
__global__ void __launch_bounds__(block_threads) rows_kernel(GroupedRows<transposed> body) {
  const RowTile at = row_tile(body.offset, body.experts, body.row_tile_of(blockIdx.x));
  if (at.rows == 0) return;
  const std::int64_t first = body.first_column(blockIdx.x);
  const auto tile = body.tile(at, first);
  TileThread own;
  compute(tile, own);
  body.write(tile, at, first, static_cast<int>(threadIdx.x), own);
}

__global__ void __launch_bounds__(block_threads) weights_kernel(GroupedWeightGradients body) {
  const auto at = body.at(blockIdx.x);
  const auto tile = body.tile(at);
  TileThread own;
  compute(tile, own);
  body.write(tile, at, static_cast<int>(threadIdx.x), own);
}

}  // namespace

template <bool transposed>
void run(const GroupedRows<transposed>& body, Stream stream) {
  if (body.blocks() == 0) return;
  rows_kernel<<<static_cast<unsigned>(body.blocks()), block_threads, 0, stream>>>(body);
  check_launch("grouped product");
}
template void run(const GroupedRows<false>&, Stream);
template void run(const GroupedRows<true>&, Stream);

void run(const GroupedWeightGradients& body, Stream stream) {
  if (body.blocks() == 0) return;
  weights_kernel<<<static_cast<unsigned>(body.blocks()), block_threads, 0, stream>>>(body);
  check_launch("grouped weight gradients");
}

}  // namespace moe::cuda
