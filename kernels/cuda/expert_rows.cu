#include "kernels/cuda/expert_rows.h"
#include "kernels/cuda/run.cuh"

namespace moe::cuda {

void run(const CountAssignments& body, std::int64_t assignments, Stream stream) {
  run_threads("count assignments", assignments, body, stream);
}
void run(const PlaceAssignments& body, std::int64_t assignments, Stream stream) {
  run_threads("place assignments", assignments, body, stream);
}
void run(const OrderAssignments& body, std::int64_t rows, Stream stream) {
  run_threads("order assignments", rows, body, stream);
}

template <class Stored>
void run(const CombineRows<Stored>& body, std::int64_t rows, Stream stream) {
  run_warps("combine rows", rows, body, stream);
}
template <class Stored>
void run(const SpreadRows<Stored>& body, std::int64_t assignments, Stream stream) {
  run_warps("spread rows", assignments, body, stream);
}
template <class Stored>
void run(const AddExpertBias<Stored>& body, std::int64_t assignments, Stream stream) {
  run_warps("bias of experts", assignments, body, stream);
}
template <class Stored>
void run(const BiasParts<Stored>& body, Stream stream) {
  run_threads("gradients of biases", bias_parts * body.experts * body.columns, body, stream);
}

template void run(const CombineRows<float>&, std::int64_t, Stream);
template void run(const CombineRows<Bf16>&, std::int64_t, Stream);
template void run(const SpreadRows<float>&, std::int64_t, Stream);
template void run(const SpreadRows<Bf16>&, std::int64_t, Stream);
template void run(const AddExpertBias<Bf16>&, std::int64_t, Stream);
template void run(const BiasParts<Bf16>&, Stream);

}  // namespace moe::cuda
