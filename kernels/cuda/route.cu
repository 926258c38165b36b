#include "kernels/cuda/route.h"
#include "kernels/cuda/run.cuh"
#include "kernels/cuda/scan.h"

namespace moe::cuda {

void run(const BestExperts& body, std::int64_t rows, Stream stream) {
  run_warps("best experts", rows, body, stream);
}
void run(const CountChoices& body, Stream stream) {
  run_blocks("count choices", body.chunks, body, stream);
}
void run(const PlaceChoices& body, Stream stream) {
  run_blocks("place choices", body.chunks, body, stream);
}
void run(const ExclusiveSum& body, Stream stream) {
  run_blocks("exclusive sum", 1, body, stream);
}

}  // namespace moe::cuda
