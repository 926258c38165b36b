#pragma once
// Rows of bfloat16 as float32 and back, with wide vectors, for kernels that compute in float32.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// Exact.
void widen_row(const c10::BFloat16* from, std::int64_t count, float* to);

/// Rounded to the nearest, ties to even; NaN stays NaN.
void narrow_row(const float* from, std::int64_t count, c10::BFloat16* to);

}  // namespace moe
