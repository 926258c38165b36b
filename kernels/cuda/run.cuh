#pragma once
// The three ways in which a body runs on a GPU.

#include "kernels/cuda/launch.h"
#include "kernels/cuda/team.h"

#include <cstdint>

namespace moe::cuda {

template <class Body>
__global__ void __launch_bounds__(block_threads) threads_kernel(std::int64_t elements, Body body) {
  const std::int64_t i = element_of(blockIdx.x, static_cast<int>(threadIdx.x));
  if (i < elements) body(i);
}

template <class Body>
__global__ void __launch_bounds__(block_threads) warps_kernel(std::int64_t rows, Body body) {
  const std::int64_t row = row_of(blockIdx.x, static_cast<int>(threadIdx.x));
  if (row < rows) body(DeviceTeam<warp_size>(), row);
}

template <class Body>
__global__ void __launch_bounds__(block_threads) blocks_kernel(Body body) {
  body(DeviceTeam<block_threads>(), static_cast<std::int64_t>(blockIdx.x));
}

/// body(i) for each element, a thread each.
template <class Body>
void run_threads(const char* name, std::int64_t elements, const Body& body, Stream stream) {
  if (elements == 0) return;
  threads_kernel<<<static_cast<unsigned>(blocks_of_threads(elements)), block_threads, 0, stream>>>(elements, body);
  check_launch(name);
}

/// body(team, row) for each row, a warp each.
template <class Body>
void run_warps(const char* name, std::int64_t rows, const Body& body, Stream stream) {
  if (rows == 0) return;
  warps_kernel<<<static_cast<unsigned>(blocks_of_warps(rows)), block_threads, 0, stream>>>(rows, body);
  check_launch(name);
}

/// body(team, row) for each row, a block of threads each.
template <class Body>
void run_blocks(const char* name, std::int64_t rows, const Body& body, Stream stream) {
  if (rows == 0) return;
  blocks_kernel<<<static_cast<unsigned>(rows), block_threads, 0, stream>>>(body);
  check_launch(name);
}

}  // namespace moe::cuda
