#pragma once
// The tiles of gemm with AVX-512: R rows and C vectors of a result, whose sums stay in registers while they
// take in a block of the summed index.

#include "kernels/gemm/operands.h"
#include "kernels/gemm/tile_rows.h"
#include "kernels/simd/transpose_block.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#ifdef MOE_HAS_X86_CODE

namespace moe::float_tiles {

inline constexpr int tile_sums = 24, tile_vectors = 4;   ///< of 32 registers, 24 hold sums
inline constexpr std::int64_t lanes = 16;                ///< floats in a vector
inline constexpr std::int64_t pair_columns = lanes / 2;  ///< of b that are computed in pairs
inline constexpr std::int64_t transposed_ahead = 8;      ///< steps of the summed index that a is fetched ahead

/// Of a tile; narrow ones are higher.
constexpr int tile_rows(std::int64_t vectors) {
  return tile_sums / (vectors > 2 ? tile_vectors : 2);
}
inline constexpr int most_tile_rows = tile_rows(1);

/// What a tile reads and writes.
struct TileWork {
  const float* a;
  std::int64_t a_stride;  ///< of rows, or of columns where the rows lie side by side
  PrefetchHint ahead;     ///< of the tile's rows
  const float* b;
  std::int64_t b_row;
  float* c;
  std::int64_t c_row, depth;
  __mmask16 last_vector;   ///< columns of the last vector that there are
  bool is_first, is_last;  ///< block of the summed index
  bool meets_b_first;      ///< the next strip of b is fetched meanwhile
  Epilogue end;            ///< bias from the tile's first column on
};

/// `steps` steps along K. Written for few instructions besides multiplications, since each takes an issue slot from
/// one.
template <int steps, int R, int C, bool transposed>
[[gnu::always_inline]] MOE_AVX512 inline void take_in(__m512 (&sum)[R][C], TileRows<R, transposed>& a, const float*& b,
                                                      __mmask16 last, std::int64_t b_row) {
#pragma GCC unroll 4
  for (int k = 0; k < steps; ++k) {
    __m512 values[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      values[c] = c == C - 1 ? _mm512_maskz_loadu_ps(last, b + c * lanes) : _mm512_loadu_ps(b + c * lanes);
    }
    b += b_row;
    make_opaque(b);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const __m512 factor = _mm512_set1_ps(*a.at(r, k));
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_fmadd_ps(factor, values[c], sum[r][c]);
    }
    if (transposed) {
      a.move(a.stride);
      __builtin_prefetch(a.row[0] + transposed_ahead * a.stride + R - 1);
    }
  }
  if (!transposed) a.move(steps);
}

/// Every loop over R and C is unrolled, so that the sums stay in registers.
template <int R, int C, bool transposed>
MOE_AVX512 void tile(const TileWork& work) {
  const __mmask16 last = work.last_vector;
  const auto mask = [&](int c) { return c == C - 1 ? last : __mmask16{0xFFFF}; };
  const std::int64_t c_row = work.c_row;
  float* const out = work.c;
  __m512 sum[R][C];
  if (work.is_first) {
    __m512 bias[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const float* from = work.end.column_bias;
      bias[c] = from == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask(c), from + c * lanes);
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const float row_bias = work.end.row_bias == nullptr ? 0.0F : work.end.row_bias[r];
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_add_ps(bias[c], _mm512_set1_ps(row_bias));
    }
  } else {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_maskz_loadu_ps(mask(c), out + r * c_row + c * lanes);
    }
  }
  constexpr int steps = 4;
  TileRows<R, transposed> a(work.a, work.a_stride);
  const float* b = work.b;
  const std::int64_t b_row = work.b_row;
  std::int64_t k = 0;
  for (; k + lanes <= work.depth; k += lanes) {
    if (!transposed) prefetch_rows<R>(work.ahead, k);  // the next tile's, a cache line at a time
    for (int i = 0; i < lanes; i += steps) {
      if (work.meets_b_first) {
#pragma GCC unroll 4
        for (int s = 0; s < steps; ++s) {
#pragma GCC unroll 4
          for (int c = 0; c < C; ++c) __builtin_prefetch(b + s * b_row + gemm_columns + c * lanes);
        }
      }
      make_opaque(a.stride);
      take_in<steps>(sum, a, b, last, b_row);
    }
  }
  for (; k < work.depth; ++k) take_in<1>(sum, a, b, last, b_row);
  // NaN stays NaN, as in LibTorch's relu.
  const bool relu = work.is_last && work.end.relu;
  const __m512 least = _mm512_set1_ps(relu ? 0.0F : -std::numeric_limits<float>::infinity());
  const bool streams = work.end.stream && work.is_last && work.last_vector == 0xFFFF &&
                       (reinterpret_cast<std::uintptr_t>(out) | static_cast<std::uintptr_t>(4 * c_row)) % 64 == 0;
  if (streams) {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) _mm512_stream_ps(out + r * c_row + c * lanes, _mm512_max_ps(least, sum[r][c]));
    }
    return;
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      _mm512_mask_storeu_ps(out + r * c_row + c * lanes, mask(c), _mm512_max_ps(least, sum[r][c]));
    }
  }
}

/// R rows of at most pair_columns columns, each of which shares a vector with the next summed index. b: [depth / 2,
/// columns, 2], in whole vectors; `depth` is even.
template <int R>
MOE_AVX512 void pair_tile(const TileWork& work) {
  __m512 sum[R];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) sum[r] = _mm512_setzero_ps();
  const float* a = work.a;
  const float* b = work.b;
  for (std::int64_t k = 0; k < work.depth; k += 2, a += 2, b += lanes) {
    if (k % lanes == 0) {
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) __builtin_prefetch(work.ahead.at(r, k));
    }
    const __m512 values = _mm512_loadu_ps(b);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      long long pair = 0;
      std::memcpy(&pair, a + r * work.a_stride, sizeof(pair));
      sum[r] = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_set1_epi64(pair)), values, sum[r]);
    }
  }
  const auto mask = static_cast<__mmask8>(work.last_vector);
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 0, 0, 0, 0, 0, 0, 0, 0);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    float* to = work.c + r * work.c_row;
    const __m512 both = _mm512_add_ps(sum[r], _mm512_permute_ps(sum[r], 0xB1));
    __m256 value = _mm512_castps512_ps256(_mm512_permutexvar_ps(even, both));
    if (!work.is_first) value = _mm256_add_ps(value, _mm256_maskz_loadu_ps(mask, to));
    if (work.is_first && work.end.column_bias != nullptr)
      value = _mm256_add_ps(value, _mm256_maskz_loadu_ps(mask, work.end.column_bias));
    if (work.is_first && work.end.row_bias != nullptr)
      value = _mm256_add_ps(value, _mm256_set1_ps(work.end.row_bias[r]));
    if (work.is_last && work.end.relu) value = _mm256_max_ps(_mm256_setzero_ps(), value);
    _mm256_mask_storeu_ps(to, mask, value);
  }
}

/// The rows of a strip in pairs, for pair_tile.
MOE_AVX512 inline void copy_in_pairs(const MatrixView& strip, float* out) {
  const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const auto mask = static_cast<__mmask8>(tail_mask(strip.columns));
  for (std::int64_t k = 0; k < strip.rows; k += 2, out += lanes) {
    const float* row = strip.data + k * strip.row_stride;
    const __m512 first = _mm512_castps256_ps512(_mm256_maskz_loadu_ps(mask, row));
    const __m512 second = _mm512_castps256_ps512(_mm256_maskz_loadu_ps(mask, row + strip.row_stride));
    _mm512_storeu_ps(out, _mm512_permutex2var_ps(first, order, second));
  }
}

using Tile = void (*)(const TileWork&);

template <int R, int C, bool transposed>
constexpr Tile tile_if_used() {
  if constexpr (R <= tile_rows(C)) return tile<R, C, transposed>;
  return nullptr;
}

template <bool transposed, std::size_t... RC>
constexpr std::array<Tile, sizeof...(RC)> make_tiles(std::index_sequence<RC...>) {
  return {
      tile_if_used<static_cast<int>(RC / tile_vectors) + 1, static_cast<int>(RC % tile_vectors) + 1, transposed>()...};
}
template <bool transposed>
inline constexpr auto tiles =
    make_tiles<transposed>(std::make_index_sequence<std::size_t{most_tile_rows} * tile_vectors>());

template <std::size_t... R>
constexpr std::array<Tile, sizeof...(R)> make_pair_tiles(std::index_sequence<R...>) {
  return {pair_tile<static_cast<int>(R) + 1>...};
}
inline constexpr auto pair_tiles = make_pair_tiles(std::make_index_sequence<std::size_t{most_tile_rows}>());

inline Tile tile_of(std::int64_t rows, std::int64_t vectors, bool transposed) {
  const auto index = static_cast<std::size_t>((rows - 1) * tile_vectors + vectors - 1);
  return transposed ? tiles<true>[index] : tiles<false>[index];
}

}  // namespace moe::float_tiles

#endif
