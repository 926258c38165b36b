#pragma once
// Transposing 16 by 16 numbers of 32 bits in registers, for our matrix products; and what their code is compiled for.

#include <algorithm>
#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define MOE_HAS_X86_CODE 1
#define MOE_AVX2 __attribute__((target("avx2,fma")))
#define MOE_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define MOE_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#include <immintrin.h>

namespace moe {

/// A mask of the first `count` of 16 lanes, or of all.
inline __mmask16 tail_mask(std::int64_t count) {
  return static_cast<__mmask16>((1U << std::min<std::int64_t>(count, 16)) - 1U);
}

/// out[k, c] = in[c, k] for 16 by 16 elements, of which `columns` and `depth` (a mask) exist; the others become 0. Of
/// each row the lanes of `written` are stored.
MOE_AVX512 inline void transpose_block(const float* in, std::int64_t in_column, std::int64_t columns, __mmask16 depth,
                                       float* out, std::int64_t out_row, __mmask16 written = 0xFFFF) {
  __m512 x[16], y[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    x[i] = i < columns ? _mm512_maskz_loadu_ps(depth, in + i * in_column) : _mm512_setzero_ps();
  }
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(y[i + j]), high = _mm512_castps_pd(y[i + 2 + j]);
      x[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      x[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
#pragma GCC unroll 2
  for (int i = 0; i < 16; i += 8) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      y[i + j] = _mm512_shuffle_f32x4(x[i + j], x[i + 4 + j], 0x88);
      y[i + 4 + j] = _mm512_shuffle_f32x4(x[i + j], x[i + 4 + j], 0xDD);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    x[j] = _mm512_shuffle_f32x4(y[j], y[8 + j], 0x88);
    x[8 + j] = _mm512_shuffle_f32x4(y[j], y[8 + j], 0xDD);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    if ((depth >> i & 1) != 0) _mm512_mask_storeu_ps(out + i * out_row, written, x[i]);
  }
}

}  // namespace moe

#endif
