#include "kernels/cuda/dropout.h"
#include "kernels/cuda/run.cuh"

namespace moe::cuda {

template <class In, class Out>
void run(const DropElements<In, Out>& body, Stream stream) {
  run_threads("dropout", divided_up(body.count, body.elements_per_word), body, stream);
}

template void run(const DropElements<float, float>&, Stream);
template void run(const DropElements<float, Bf16>&, Stream);
template void run(const DropElements<Bf16, float>&, Stream);
template void run(const DropElements<Bf16, Bf16>&, Stream);

}  // namespace moe::cuda
