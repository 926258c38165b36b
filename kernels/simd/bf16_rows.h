#pragma once
// Rows of bfloat16 as float32 and back, with wide vectors, for kernels that compute in float32.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// Exact. Rows of `columns` elements, `from_stride` apart, to contiguous ones.
void widen_rows(const c10::BFloat16* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                float* to);

/// Rounded to the nearest, ties to even; NaN stays NaN. Rows of `columns` elements, `from_stride` apart,
/// to such that lie `to_stride` apart.
void narrow_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                 c10::BFloat16* to, std::int64_t to_stride);

inline void widen_row(const c10::BFloat16* from, std::int64_t count, float* to) {
  widen_rows(from, count, 1, count, to);
}

inline void narrow_row(const float* from, std::int64_t count, c10::BFloat16* to) {
  narrow_rows(from, count, 1, count, to, count);
}

}  // namespace moe
