#pragma once
// Products of small matrices, as the heads of attention have them: read where they lie, whatever their strides.

#include "kernels/gemm/matrix_view.h"

#include <cstdint>

namespace moe {

/// c = a b in float32, in the calling thread. The columns of b are whole vectors of 16, side by side; the strides of a
/// are any. Requires has_avx2().
void small_gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride);

}  // namespace moe
