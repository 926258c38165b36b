#pragma once
// Matrix products for experts with few rows. A BLAS packs both operands into a layout of its own before it multiplies,
// which pays when each is used often; an expert's weights meet only a few dozen rows, so here they are read where they
// lie, once. bench/ measures both.

#include <cstdint>

namespace moe {

/// A float32 matrix that is stored elsewhere; strides count elements.
struct MatrixView {
  const float* data = nullptr;
  std::int64_t rows = 0, columns = 0;
  std::int64_t row_stride = 0, column_stride = 1;

  MatrixView transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

/// Contiguous rows.
inline MatrixView row_major(const float* data, std::int64_t rows, std::int64_t columns) {
  return {data, rows, columns, columns};
}

/// What is done with a sum of products before it is stored.
struct SmallProductEnd {
  const float* row_bias = nullptr;  ///< [rows of a], or none
  bool relu = false;
};

inline constexpr std::int64_t small_product_lanes = 16;

/// Whether this processor has the vector units that the product is written for (AVX2 with FMA, or AVX-512).
bool has_small_product();

/// c = end(a b), row-major and contiguous, in the calling thread. The columns of b stand side by side, and their number
/// is a multiple of small_product_lanes. Requires has_small_product().
void small_product(const MatrixView& a, const MatrixView& b, float* c, const SmallProductEnd& end = {});

}  // namespace moe
