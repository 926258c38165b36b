#include "kernels/cuda/adamw.h"
#include "kernels/cuda/run.cuh"

namespace moe::cuda {

void run(const AdamwStep& body, std::int64_t blocks, Stream stream) {
  run_blocks("AdamW", blocks, body, stream);
}
void run(const BlockSquares& body, std::int64_t blocks, Stream stream) {
  run_blocks("squares of gradients", blocks, body, stream);
}
void run(const NormOfSquares& body, Stream stream) {
  run_blocks("norm of gradients", 1, body, stream);
}

}  // namespace moe::cuda
