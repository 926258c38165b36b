#pragma once
// Products of small matrices, as the heads of attention have them: read where they lie, whatever their strides. Without
// them a training step at width 128 (bench_training_step, step/tiny) took 1.03 times as long in fp32 and 1.10 times in
// bf16, with two passes 1.07 and 1.06 times: medians of four rounds in turns on an Intel Xeon with AVX-512.

#include "kernels/gemm/matrix_view.h"

#include <cstdint>

namespace moe {

/// c = a b in float32, in the calling thread. The columns of b are whole vectors of 16, side by side; the strides of a
/// are any. Requires has_avx2().
void small_gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride);

}  // namespace moe
