#pragma once
// Matrix products of float32 with AVX-512, in the calling thread. MKL, whose products LibTorch takes, keeps to AVX2 on
// AMD's processors and reaches less than half of what those with full AVX-512 units can do; and any BLAS packs operands
// that meet only a few rows. bench/ measures all beside each other.

#include <cstdint>

namespace moe {

/// A float32 matrix that is stored elsewhere; strides count elements.
struct MatrixView {
  const float* data = nullptr;
  std::int64_t rows = 0, columns = 0;
  std::int64_t row_stride = 0, column_stride = 1;

  MatrixView transposed() const { return {data, columns, rows, column_stride, row_stride}; }
  MatrixView row_range(std::int64_t first, std::int64_t count) const {
    return {data + first * row_stride, count, columns, row_stride, column_stride};
  }
  MatrixView column_range(std::int64_t first, std::int64_t count) const {
    return {data + first * column_stride, rows, count, row_stride, column_stride};
  }
};

/// Contiguous rows.
inline MatrixView row_major(const float* data, std::int64_t rows, std::int64_t columns) {
  return {data, rows, columns, columns};
}

/// What is done with a sum of products before it is stored.
struct ProductEnd {
  const float* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;
  bool stream = false;  ///< written past the caches: nobody reads it soon
};

inline constexpr std::int64_t product_columns = 64;  ///< that are computed side by side

/// Whether this processor has AVX-512 as the product needs it.
bool has_matrix_product();

/// Whether it does better than LibTorch's library on many rows, too.
bool prefers_matrix_product();

/// c = end(a b). One stride of each operand is 1; the rows of c stand `c_row_stride` apart, its columns side by side.
/// An element's sum does not depend on how the product is cut into ranges of rows and columns. Requires
/// has_matrix_product().
void matrix_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                    const ProductEnd& end = {});

/// The rows of a matrix whose columns lie apart (row_stride 1), each with its elements side by side, in whole vectors of
/// 16 with zeros behind the last. `out`: a row every `out_row_stride`. Requires has_matrix_product().
void copy_crosswise(const MatrixView& matrix, float* out, std::int64_t out_row_stride);

}  // namespace moe
