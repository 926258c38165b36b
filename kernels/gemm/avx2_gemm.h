#pragma once
// The products of kernels/gemm/gemm.h with AVX2, for processors without AVX-512: on few rows ahead of MKL's,
// on many a little behind.

#include "kernels/gemm/matrix_view.h"
#include "kernels/gemm/operands.h"

#include <cstdint>

namespace moe {

/// As gemm. Requires has_avx2(), as the next does.
void avx2_gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride, const Epilogue& end = {},
               const PrefetchHint& ahead = {});

void avx2_pack_transposed(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors = true);

}  // namespace moe
