#include "kernels/cuda/layer_norm.h"
#include "kernels/cuda/run.cuh"

namespace moe::cuda {

template <class Stored>
void run(const Normalise<Stored>& body, std::int64_t rows, Stream stream) {
  run_warps("layer norm", rows, body, stream);
}
template <class Stored>
void run(const NormaliseBackward<Stored>& body, std::int64_t rows, Stream stream) {
  run_warps("layer norm backward", rows, body, stream);
}
template <class Stored>
void run(const NormWeightGradients<Stored>& body, Stream stream) {
  run_threads("layer norm weights", divided_up(body.rows, norm_block_rows) * body.width, body, stream);
}

template void run(const Normalise<float>&, std::int64_t, Stream);
template void run(const Normalise<Bf16>&, std::int64_t, Stream);
template void run(const NormaliseBackward<float>&, std::int64_t, Stream);
template void run(const NormaliseBackward<Bf16>&, std::int64_t, Stream);
template void run(const NormWeightGradients<float>&, Stream);
template void run(const NormWeightGradients<Bf16>&, Stream);

}  // namespace moe::cuda
