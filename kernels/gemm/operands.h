#pragma once
// Operands of float32 products, and what is done with the sums.

#include "core/error.h"
#include "kernels/gemm/matrix_view.h"

#include <cstdint>

namespace moe {

using MatrixView = BasicMatrixView<float>;

/// Epilogue of a gemm: what is done with a sum before it is stored.
struct Epilogue {
  const float* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;
  bool stream = false;              ///< non-temporal store, past the caches: nobody reads it soon
  const float* row_bias = nullptr;  ///< [rows of a], or none
  bool accumulate = false;          ///< c += a b
};

/// Prefetch hint: rows, of any type, that the caller reads after this gemm.
struct PrefetchHint {
  const char* data = nullptr;  ///< null: the gemm prefetches its own next rows of A
  std::int64_t row_bytes = 0, element_bytes = 0;

  template <class Scalar>
  static PrefetchHint of(const Scalar* first, std::int64_t row_stride) {
    constexpr std::int64_t bytes = sizeof(Scalar);
    return {reinterpret_cast<const char*>(first), bytes * row_stride, bytes};
  }
  const char* at(std::int64_t row, std::int64_t column) const {
    return data + row * row_bytes + column * element_bytes;
  }
  PrefetchHint from(std::int64_t row, std::int64_t column = 0) const {
    return {at(row, column), row_bytes, element_bytes};
  }
};

inline constexpr std::int64_t gemm_columns = 64;  ///< of C that a micro-kernel computes at once

/// The next multiple of the 16 floats of a vector.
constexpr std::int64_t whole_vectors(std::int64_t count) {
  return (count + 15) / 16 * 16;
}

/// Throws Error where a product does not take the operands.
inline void check_operands(const MatrixView& a, const MatrixView& b, std::int64_t c_row_stride) {
  MOE_CHECK(are_operands(a, b) && c_row_stride >= b.columns,
            "A product of [{}, {}] and [{}, {}] with strides [{}, {}] and [{}, {}], into rows of {}.", a.rows,
            a.columns, b.rows, b.columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride, c_row_stride);
}

}  // namespace moe
