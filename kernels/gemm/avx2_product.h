#pragma once
// The products of kernels/gemm/matrix_product.h with AVX2, for processors without AVX-512: on few rows ahead of MKL's,
// on many a little behind.

#include "kernels/gemm/matrix_view.h"
#include "kernels/gemm/product_operands.h"

#include <cstdint>

namespace moe {

/// As matrix_product. Requires has_avx2(), as the next does.
void avx2_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                  const ProductEnd& end = {}, const RowsAhead& ahead = {});

void avx2_copy_crosswise(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors = true);

}  // namespace moe
