#pragma once
// The products of kernels/matrix_product.h with AVX2, for processors without AVX-512: on few rows ahead of MKL's, on
// many a little behind.

#include "kernels/matrix_product.h"
#include "kernels/matrix_view.h"

#include <cstdint>

namespace moe {

/// Whether this processor has AVX2 and fused multiplications.
bool has_avx2_product();

/// As matrix_product. Requires has_avx2_product(), as the next does.
void avx2_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                  const ProductEnd& end = {}, const RowsAhead& ahead = {});

void avx2_copy_crosswise(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors = true);

}  // namespace moe
