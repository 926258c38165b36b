#pragma once
// Matrices that are stored elsewhere, as our products take them.

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

/// Strides count elements.
template <class Scalar>
struct BasicMatrixView {
  const Scalar* data = nullptr;
  std::int64_t rows = 0, columns = 0;
  std::int64_t row_stride = 0, column_stride = 1;

  BasicMatrixView transposed() const { return {data, columns, rows, column_stride, row_stride}; }
  BasicMatrixView row_range(std::int64_t first, std::int64_t count) const {
    return {data + first * row_stride, count, columns, row_stride, column_stride};
  }
  /// Row `first` and every `step`th behind it.
  BasicMatrixView every_row(std::int64_t first, std::int64_t step) const {
    return {data + first * row_stride, (rows - first + step - 1) / step, columns, row_stride * step, column_stride};
  }
  BasicMatrixView column_range(std::int64_t first, std::int64_t count) const {
    return {data + first * column_stride, rows, count, row_stride, column_stride};
  }
};

using MatrixView = BasicMatrixView<float>;
using Bf16View = BasicMatrixView<c10::BFloat16>;

/// Contiguous rows.
template <class Scalar>
BasicMatrixView<Scalar> row_major(const Scalar* data, std::int64_t rows, std::int64_t columns) {
  return {data, rows, columns, columns};
}

/// Whether a product of the two is defined, and one stride of each is 1.
template <class Scalar>
bool are_operands(const BasicMatrixView<Scalar>& a, const BasicMatrixView<Scalar>& b) {
  return a.columns == b.rows && (a.column_stride == 1 || a.row_stride == 1) &&
         (b.column_stride == 1 || b.row_stride == 1);
}

/// A bias from its element `first` on, or none.
template <class Scalar>
const Scalar* bias_from(const Scalar* bias, std::int64_t first) {
  return bias == nullptr ? nullptr : bias + first;
}

}  // namespace moe
