#pragma once
// Matrix products of float32 with AVX-512, or with AVX2 (kernels/avx2_product.h), in the calling thread. They end with
// a bias and a relu, where those of MKL, which LibTorch takes, need a pass behind them, and read operands that meet
// only a few rows where they lie, where any BLAS packs them. With AVX-512 they are as fast as MKL's on Intel's
// processors; on AMD's, MKL keeps to AVX2. bench/ measures all beside each other.

#include "kernels/matrix_view.h"

#include <cstdint>

namespace moe {

using MatrixView = BasicMatrixView<float>;

/// What is done with a sum of products before it is stored.
struct ProductEnd {
  const float* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;
  bool stream = false;              ///< written past the caches: nobody reads it soon
  const float* row_bias = nullptr;  ///< [rows of a], or none
  bool accumulate = false;          ///< added to what c holds
};

/// Rows of any type that the caller reads next: they are fetched meanwhile.
struct RowsAhead {
  const char* data = nullptr;  ///< null: the product fetches the next rows of a
  std::int64_t row_bytes = 0, element_bytes = 0;

  template <class Scalar>
  static RowsAhead of(const Scalar* first, std::int64_t row_stride) {
    constexpr std::int64_t bytes = sizeof(Scalar);
    return {reinterpret_cast<const char*>(first), bytes * row_stride, bytes};
  }
  const char* at(std::int64_t row, std::int64_t column) const {
    return data + row * row_bytes + column * element_bytes;
  }
  RowsAhead from(std::int64_t row, std::int64_t column = 0) const {
    return {at(row, column), row_bytes, element_bytes};
  }
};

inline constexpr std::int64_t product_columns = 64;  ///< that are computed side by side

/// Whether this processor has AVX-512 as the product needs it.
bool has_avx512_product();

/// Whether it has that, or at least AVX2.
bool has_matrix_product();

/// Whether this processor is AMD's.
bool runs_on_amd();

/// c = end(a b). One stride of each operand is 1; the rows of c stand `c_row_stride` apart, its columns side by side.
/// An element's sum does not depend on how the product is cut into ranges of rows and of columns, if those are whole
/// numbers of product_columns. Requires has_matrix_product().
void matrix_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                    const ProductEnd& end = {}, const RowsAhead& ahead = {});

/// Throws Error where matrix_product does not take the operands.
void check_operands(const MatrixView& a, const MatrixView& b, std::int64_t c_row_stride);

/// The next multiple of the 16 floats of a vector.
constexpr std::int64_t whole_vectors(std::int64_t count) {
  return (count + 15) / 16 * 16;
}

/// The rows of a matrix whose columns lie apart (row_stride 1), each with its elements side by side; with
/// `fills_vectors` in whole vectors of 16, with zeros behind the last. `out`: a row every `out_row_stride`. Requires
/// has_matrix_product().
void copy_crosswise(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors = true);

}  // namespace moe
