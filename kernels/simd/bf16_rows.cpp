#include "kernels/simd/bf16_rows.h"

#include "kernels/simd/vector_math.h"

#include <bit>

namespace moe {
namespace {

/// Rows one behind another are one long row, which leaves less over behind the last vector.
MOE_INLINE void join_rows(std::int64_t& rows, std::int64_t& columns, bool are_contiguous) {
  if (!are_contiguous) return;
  columns *= rows;
  rows = 1;
}

}  // namespace

MOE_VECTOR_CLONES void widen_rows(const c10::BFloat16* from, std::int64_t from_stride, std::int64_t rows,
                                  std::int64_t columns, float* to) {
  join_rows(rows, columns, from_stride == columns);
  for (std::int64_t r = 0; r < rows; ++r, from += from_stride, to += columns) {
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) to[i] = static_cast<float>(from[i]);
  }
}

// On the bits, without a branch: a loop over conversions of the type's own is not vectorised.
MOE_VECTOR_CLONES void narrow_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                                   c10::BFloat16* to, std::int64_t to_stride) {
  join_rows(rows, columns, from_stride == columns && to_stride == columns);
  for (std::int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride) {
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) {
      const auto bits = std::bit_cast<std::uint32_t>(from[i]);
      const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
      const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
      to[i].x = static_cast<std::uint16_t>(is_nan ? 0x7FC0U : rounded);
    }
  }
}

}  // namespace moe
