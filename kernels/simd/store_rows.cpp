#include "kernels/simd/store_rows.h"

#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/transpose_block.h"

#include <algorithm>
#include <type_traits>

namespace moe {
namespace {

using c10::BFloat16;

void copy_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
               std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(from + r * from_stride, columns, to + r * to_stride);
}
void copy_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, BFloat16* to,
               std::int64_t to_stride) {
  narrow_rows(from, from_stride, rows, columns, to, to_stride);
}

#ifdef MOE_HAS_X86_CODE

/// Elements in a line of the cache.
template <class Scalar>
constexpr auto line = static_cast<std::int64_t>(64 / sizeof(Scalar));

template <class Scalar>
bool fills_lines(std::int64_t columns, const Scalar* to, std::int64_t to_stride) {
  return columns % line<Scalar> == 0 && to_stride % line<Scalar> == 0 && reinterpret_cast<std::uintptr_t>(to) % 64 == 0;
}

// A line by AVX-512.

MOE_AVX512 inline void stream_line(const float* from, float* to) {
  _mm512_stream_ps(to, _mm512_loadu_ps(from));
}

/// The bits of 16 rounded numbers, each in the lower half of its lane.
MOE_AVX512 inline __m512i round_16(const float* from) {
  const __m512 values = _mm512_loadu_ps(from);
  const __m512i bits = _mm512_castps_si512(values);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  return _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q), _mm512_set1_epi32(0x7FC0));
}
MOE_AVX512 inline void stream_line(const float* from, BFloat16* to) {
  const __m256i first = _mm512_cvtepi32_epi16(round_16(from)), second = _mm512_cvtepi32_epi16(round_16(from + 16));
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
}

template <class Scalar>
MOE_AVX512 void stream_avx512(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                              Scalar* to, std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride) {
    for (std::int64_t i = 0; i < columns; i += line<Scalar>) stream_line(from + i, to + i);
  }
}

/// Rounded by the processor.
MOE_AVX512_BF16 void stream_avx512_bf16(const float* from, std::int64_t from_stride, std::int64_t rows,
                                        std::int64_t columns, BFloat16* to, std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride) {
    for (std::int64_t i = 0; i < columns; i += line<BFloat16>) {
      const __m512bh rounded = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), reinterpret_cast<__m512i>(rounded));
    }
  }
}

// Half a line by AVX2.

MOE_AVX2 inline void stream_half(const float* from, float* to) {
  _mm256_stream_ps(to, _mm256_loadu_ps(from));
}

/// The bits of 8 rounded numbers, each in the lower half of its lane.
MOE_AVX2 inline __m256i round_8(const float* from) {
  const __m256 values = _mm256_loadu_ps(from);
  const __m256i bits = _mm256_castps_si256(values);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(values, values, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7FC0), is_nan);
}
MOE_AVX2 inline void stream_half(const float* from, BFloat16* to) {
  const __m256i packed = _mm256_packus_epi32(round_8(from), round_8(from + 8));  // quarters 0, 2, 1, 3
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(packed, 0xD8));
}

template <class Scalar>
MOE_AVX2 void stream_avx2(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                          Scalar* to, std::int64_t to_stride) {
  for (std::int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride) {
    for (std::int64_t i = 0; i < columns; i += line<Scalar> / 2) stream_half(from + i, to + i);
  }
}

template <class Scalar>
auto stream_of_this_processor() {
  if constexpr (std::is_same_v<Scalar, BFloat16>) {
    if (has_avx512_bf16()) return stream_avx512_bf16;
  }
  return has_avx512() ? stream_avx512<Scalar> : stream_avx2<Scalar>;
}

/// Whether it could.
template <class Scalar>
bool store_non_temporal(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                        Scalar* to, std::int64_t to_stride) {
  if (!has_avx2() || !fills_lines(columns, to, to_stride)) return false;
  stream_of_this_processor<Scalar>()(from, from_stride, rows, columns, to, to_stride);
  return true;
}

#else

template <class Scalar>
bool store_non_temporal(const float*, std::int64_t, std::int64_t, std::int64_t, Scalar*, std::int64_t) {
  return false;
}

#endif

}  // namespace

void store_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
                std::int64_t to_stride, bool non_temporal) {
  if (non_temporal && store_non_temporal(from, from_stride, rows, columns, to, to_stride)) return;
  copy_rows(from, from_stride, rows, columns, to, to_stride);
}
void store_rows(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, BFloat16* to,
                std::int64_t to_stride, bool non_temporal) {
  if (non_temporal && store_non_temporal(from, from_stride, rows, columns, to, to_stride)) return;
  copy_rows(from, from_stride, rows, columns, to, to_stride);
}

}  // namespace moe
