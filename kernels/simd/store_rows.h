#pragma once
// Rows of float32 results to where they belong, as float32 or bfloat16, into the caches or past them.

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

/// Rows of `columns` elements, `from_stride` apart, to such that lie `to_stride` apart. non_temporal: past
/// the caches, for rows that nobody reads soon, where they fill whole lines of the cache.
void store_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
                std::int64_t to_stride, bool non_temporal);

/// The same rounded to bfloat16, as narrow_rows (kernels/simd/bf16_rows.h); but past the caches a processor with
/// AVX512_BF16 takes numbers below 2^-126 for 0.
void store_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, c10::BFloat16* to,
                std::int64_t to_stride, bool non_temporal);

}  // namespace moe
