#pragma once
// Operands of bfloat16 products laid out as pairs of summed elements, 32 bits each, as the processor multiplies them.

#include "core/error.h"
#include "kernels/gemm/bf16_operands.h"
#include "kernels/simd/transpose_block.h"

#include <algorithm>
#include <array>
#include <cstdint>

#ifdef MOE_HAS_X86_CODE

namespace moe {

/// Whether summed elements of a, if they lie side by side, are read as pairs.
inline bool has_row_pairs(const Bf16View& a) {
  return a.column_stride != 1 || (a.columns % 2 == 0 && (a.rows == 1 || a.row_stride % 2 == 0));
}

/// Throws Error where operands do not fit each other, or their pairs cannot be read.
inline void check_operands(const Bf16View& a, const Bf16View& b, bool reads_a_in_pairs) {
  MOE_CHECK(are_operands(a, b) && (!reads_a_in_pairs || has_row_pairs(a)) && has_column_pairs(b),
            "A product of [{}, {}] and [{}, {}] with strides [{}, {}] and [{}, {}].", a.rows, a.columns, b.rows,
            b.columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride);
}

/// 16 bfloat16 as float32.
MOE_AVX512 inline __m512 widen(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

inline constexpr std::int64_t strip_columns = 64;  ///< of b that are laid out together

/// out[k, i] = the pair (in[2 k, i], in[2 k + 1, i]) for `columns` elements that lie side by side in `rows` rows; a row
/// that is missing counts as 0. Writes whole vectors of 16.
MOE_AVX512 inline void pack_vnni(const c10::BFloat16* in, std::int64_t rows, std::int64_t in_row, std::int64_t columns,
                                 std::uint32_t* out, std::int64_t out_row) {
  constexpr std::int64_t lanes = 16;
  for (std::int64_t k = 0; k < rows; k += 2, in += 2 * in_row, out += out_row) {
    for (std::int64_t i = 0; i < columns; i += lanes) {
      const __mmask16 mask = tail_mask(columns - i);
      const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, in + i));
      const __mmask16 second_mask = k + 1 < rows ? mask : __mmask16{0};
      const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(second_mask, in + in_row + i));
      _mm512_storeu_si512(out + i, _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
    }
  }
}

/// Columns [column, column + columns) of b as pairs: out[depth / 2, strip_columns].
MOE_AVX512 inline void copy_strip(const Bf16View& b, std::int64_t column, std::int64_t columns, std::uint32_t* out) {
  constexpr std::int64_t lanes = 16;
  if (b.column_stride == 1) {
    pack_vnni(b.data + column, b.rows, b.row_stride, columns, out, strip_columns);
    return;
  }
  const std::int64_t pairs = b.rows / 2, stride = b.column_stride / 2;
  const auto* in = reinterpret_cast<const float*>(b.data + column * b.column_stride);  // pairs, as bits
  for (std::int64_t c = 0; c < columns; c += lanes) {
    for (std::int64_t k = 0; k < pairs; k += lanes) {
      for (std::int64_t i = 0; i < lanes; ++i) __builtin_prefetch(in + (c + lanes + i) * stride + k);
      transpose_block(in + c * stride + k, stride, columns - c, tail_mask(pairs - k),
                      reinterpret_cast<float*>(out) + k * strip_columns + c, strip_columns);
    }
  }
}

/// The pairs of each row of a, whose columns lie apart (row_stride 1), side by side, with a 0 behind an odd last
/// element: out[rows, (columns + 1) / 2], a row every `out_row` pairs.
MOE_AVX512 inline void pack_pairs_transposed(const Bf16View& a, std::uint32_t* out, std::int64_t out_row) {
  constexpr std::int64_t lanes = 16;
  const std::int64_t pairs = std::max<std::int64_t>((a.columns + 1) / 2, 1);
  alignas(64) std::array<std::uint32_t, lanes * lanes> turned{};
  for (std::int64_t k = 0; k < pairs; k += lanes) {
    const std::int64_t depth = std::min(2 * lanes, a.columns - 2 * k);
    for (std::int64_t r = 0; r < a.rows; r += lanes) {
      pack_vnni(a.data + 2 * k * a.column_stride + r, depth, a.column_stride, std::min(lanes, a.rows - r),
                turned.data(), lanes);
      transpose_block(reinterpret_cast<const float*>(turned.data()), lanes, (depth + 1) / 2, tail_mask(a.rows - r),
                      reinterpret_cast<float*>(out) + r * out_row + k, out_row, tail_mask(pairs - k));
    }
  }
}

}  // namespace moe

#endif
