#pragma once
// The register tiles of skinny_gemm, for AVX-512 and for AVX2: N rows of a times as many rows of the weight as leave
// all of their sums in registers.

#include "kernels/simd/transpose_block.h"

#include <c10/util/BFloat16.h>

#include <cstdint>

#ifdef MOE_HAS_X86_CODE

namespace moe::skinny_tiles {

inline constexpr std::int64_t bytes_ahead = 8192;  ///< in the weight, fetched while a row is read

/// Where the products of some rows with a vector's width of rows of w are stored.
template <class Scalar>
struct SkinnyEpilogue {
  std::int64_t rows;
  const Scalar* bias;  ///< of the rows of w
  bool relu;
  float* c;
  std::int64_t c_row;
};

struct Avx512 {
  static constexpr std::int64_t lanes = 16;
  static constexpr int sums = 16;

  MOE_AVX512 static __m512 load(const float* from) { return _mm512_loadu_ps(from); }
  MOE_AVX512 static __m512 load(const c10::BFloat16* from) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }

  /// Of four vectors, the sum of every fourth lane of each, side by side in each quarter.
  MOE_AVX512 static __m512 add_four(const __m512* v) {
    const __m512 first = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
    const __m512 second = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
    const __m512d low = _mm512_castps_pd(first), high = _mm512_castps_pd(second);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
  }
  MOE_AVX512 static __m512 add_quarters(__m512 first, __m512 second) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xDD));
  }
  /// The sum of the lanes of each of 16 vectors.
  MOE_AVX512 static __m512 add_lanes(const __m512* v) {
    const __m512 first = add_quarters(add_four(v), add_four(v + 4)),
                 second = add_quarters(add_four(v + 8), add_four(v + 12));
    return add_quarters(first, second);
  }

  /// out[r, n] = the product of row n of a and row r of w, for N and sums / N rows. Writes `sums` floats.
  template <int N, class Scalar>
  MOE_AVX512 static void multiply_rows(const float* a, const Scalar* w, std::int64_t depth, float* out) {
    constexpr int R = sums / N;
    __m512 sum[sums];
#pragma GCC unroll 16
    for (__m512& value : sum) value = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < depth; k += lanes) {
      __m512 values[R];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        values[r] = load(w + r * depth + k);
        __builtin_prefetch(reinterpret_cast<const char*>(w + r * depth + k) + bytes_ahead);
      }
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        const __m512 x = load(a + n * depth + k);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) sum[r * N + n] = _mm512_fmadd_ps(values[r], x, sum[r * N + n]);
      }
    }
    _mm512_storeu_ps(out, add_lanes(sum));
  }

  /// Stores products, [lanes, rows]. `by_row`: workspace to turn them.
  template <class Scalar>
  MOE_AVX512 static void store(const float* by_column, float* by_row, const SkinnyEpilogue<Scalar>& epilogue) {
    transpose_block(by_column, epilogue.rows, lanes, tail_mask(epilogue.rows), by_row, lanes);
    const __m512 bias = load(epilogue.bias);
    for (std::int64_t n = 0; n < epilogue.rows; ++n) {
      __m512 value = _mm512_add_ps(_mm512_load_ps(by_row + n * lanes), bias);
      if (epilogue.relu) value = _mm512_max_ps(_mm512_setzero_ps(), value);  // NaN stays NaN
      _mm512_storeu_ps(epilogue.c + n * epilogue.c_row, value);
    }
  }
};

struct Avx2 {
  static constexpr std::int64_t lanes = 8;
  static constexpr int sums = 8;

  MOE_AVX2 static __m256 load(const float* from) { return _mm256_loadu_ps(from); }
  MOE_AVX2 static __m256 load(const c10::BFloat16* from) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }

  /// The sum of the lanes of each of 8 vectors.
  MOE_AVX2 static __m256 add_lanes(const __m256* v) {
    const __m256 first = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    const __m256 second = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    return _mm256_add_ps(_mm256_permute2f128_ps(first, second, 0x20), _mm256_permute2f128_ps(first, second, 0x31));
  }

  /// As Avx512's.
  template <int N, class Scalar>
  MOE_AVX2 static void multiply_rows(const float* a, const Scalar* w, std::int64_t depth, float* out) {
    constexpr int R = sums / N;
    __m256 sum[sums];
#pragma GCC unroll 8
    for (__m256& value : sum) value = _mm256_setzero_ps();
    for (std::int64_t k = 0; k < depth; k += lanes) {
      __m256 values[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        values[r] = load(w + r * depth + k);
        __builtin_prefetch(reinterpret_cast<const char*>(w + r * depth + k) + bytes_ahead);
      }
#pragma GCC unroll 8
      for (int n = 0; n < N; ++n) {
        const __m256 x = load(a + n * depth + k);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum[r * N + n] = _mm256_fmadd_ps(values[r], x, sum[r * N + n]);
      }
    }
    _mm256_storeu_ps(out, add_lanes(sum));
  }

  template <class Scalar>
  MOE_AVX2 static void store(const float* by_column, float* by_row, const SkinnyEpilogue<Scalar>& epilogue) {
    for (std::int64_t n = 0; n < epilogue.rows; ++n) {
      for (std::int64_t i = 0; i < lanes; ++i) by_row[n * lanes + i] = by_column[i * epilogue.rows + n];
    }
    const __m256 bias = load(epilogue.bias);
    for (std::int64_t n = 0; n < epilogue.rows; ++n) {
      __m256 value = _mm256_add_ps(_mm256_load_ps(by_row + n * lanes), bias);
      if (epilogue.relu) value = _mm256_max_ps(_mm256_setzero_ps(), value);  // NaN stays NaN
      _mm256_storeu_ps(epilogue.c + n * epilogue.c_row, value);
    }
  }
};

}  // namespace moe::skinny_tiles

#endif
