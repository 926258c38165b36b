#include "kernels/cuda/losses.h"
#include "kernels/cuda/run.cuh"

namespace moe::cuda {

template <class Stored>
void run(const TokenLosses<Stored>& body, std::int64_t rows, Stream stream) {
  run_blocks("token losses", rows, body, stream);
}

template void run(const TokenLosses<float>&, std::int64_t, Stream);
template void run(const TokenLosses<Bf16>&, std::int64_t, Stream);

void run(const SumsOfRows& body, std::int64_t sums, Stream stream) {
  run_blocks("sums of losses", sums, body, stream);
}

}  // namespace moe::cuda
