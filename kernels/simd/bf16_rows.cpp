#include "kernels/simd/bf16_rows.h"

#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/transpose_block.h"
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

#ifdef MOE_HAS_X86_CODE

namespace {

/// The bits of 16 rounded numbers, each in the lower half of its lane.
MOE_AVX512 __m512i round_to_bf16(const float* from) {
  const __m512 values = _mm512_loadu_ps(from);
  const __m512i bits = _mm512_castps_si512(values);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  return _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q), _mm512_set1_epi32(0x7FC0));
}

constexpr std::int64_t line = 32;  ///< elements

/// The bits of 8 rounded numbers, each in the lower half of its lane.
MOE_AVX2 __m256i round_eight(const float* from) {
  const __m256 values = _mm256_loadu_ps(from);
  const __m256i bits = _mm256_castps_si256(values);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7FC0), is_nan);
}

MOE_AVX2 void stream_halves(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                            c10::BFloat16* to, std::int64_t to_stride) {
  constexpr std::int64_t half = line / 2;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < columns; i += half) {
      const float* in = from + r * from_stride + i;
      const __m256i packed = _mm256_packus_epi32(round_eight(in), round_eight(in + half / 2));  // quarters 0, 2, 1, 3
      _mm256_stream_si256(reinterpret_cast<__m256i*>(to + r * to_stride + i), _mm256_permute4x64_epi64(packed, 0xD8));
    }
  }
}

MOE_AVX512 void stream_lines(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                             c10::BFloat16* to, std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < columns; i += line) {
      const __m256i first = _mm512_cvtepi32_epi16(round_to_bf16(from + r * from_stride + i));
      const __m256i second = _mm512_cvtepi32_epi16(round_to_bf16(from + r * from_stride + i + line / 2));
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + r * to_stride + i),
                          _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
    }
  }
}

}  // namespace

void stream_narrow_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                        c10::BFloat16* to, std::int64_t to_stride) {
  const bool fills_lines =
      columns % line == 0 && to_stride % line == 0 && reinterpret_cast<std::uintptr_t>(to) % (2 * line) == 0;
  const auto stream = has_avx512() ? stream_lines : stream_halves;
  const bool streams = fills_lines && has_avx2();
  (streams ? stream : narrow_rows)(from, from_stride, rows, columns, to, to_stride);
}

#else

void stream_narrow_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                        c10::BFloat16* to, std::int64_t to_stride) {
  narrow_rows(from, from_stride, rows, columns, to, to_stride);
}

#endif

}  // namespace moe
