#pragma once
// The tiles of avx2_gemm: R rows and C vectors of a result, whose sums stay in 12 of 16 registers while they take in
// a block of the summed index; and what lays operands in place for them.

#include "kernels/gemm/operands.h"
#include "kernels/gemm/tile_rows.h"
#include "kernels/simd/transpose_block.h"

#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#ifdef MOE_HAS_X86_CODE

namespace moe::avx2 {

inline constexpr std::int64_t lanes = 8;  ///< floats in a vector
inline constexpr int tile_rows = 6, tile_vectors = 2;
inline constexpr std::int64_t strip_columns = tile_vectors * lanes;  ///< of b that lie together
inline constexpr std::int64_t line = 16;                             ///< floats in a line of the caches

/// What a tile reads and writes.
struct Work {
  const float* a;
  std::int64_t a_stride;  ///< of rows, or of columns where the rows lie side by side
  PrefetchHint ahead;     ///< of the tile's rows, unless they lie side by side
  const float* b;         ///< [depth, b_row], in whole vectors
  std::int64_t b_row;
  float* c;
  std::int64_t c_row, depth, columns;
  bool is_first, is_last;  ///< block of the summed index
  Epilogue end;            ///< biases from the tile's first row and column on
};

/// A mask of the first `count` of 8 lanes, or of all.
MOE_AVX2 inline __m256i tail_mask(std::int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < lanes ? static_cast<int>(count) : static_cast<int>(lanes)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/// What the sums start from: biases, or what c holds.
template <int R, int C>
[[gnu::always_inline]] MOE_AVX2 inline void start(const Work& work, __m256 (&sum)[R][C]) {
  const float* column_bias = work.end.column_bias;
#pragma GCC unroll 2
  for (int c = 0; c < C; ++c) {
    const __m256i there = tail_mask(work.columns - c * lanes);
    const bool has_bias = work.is_first && column_bias != nullptr;
    const __m256 bias = has_bias ? _mm256_maskload_ps(column_bias + c * lanes, there) : _mm256_setzero_ps();
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const float row_bias = work.end.row_bias == nullptr ? 0.0F : work.end.row_bias[r];
      sum[r][c] = work.is_first ? _mm256_add_ps(bias, _mm256_set1_ps(row_bias))
                                : _mm256_maskload_ps(work.c + r * work.c_row + c * lanes, there);
    }
  }
}

template <int R, int C>
[[gnu::always_inline]] MOE_AVX2 inline void finish(const Work& work, const __m256 (&sum)[R][C]) {
  const bool relu = work.is_last && work.end.relu;
  const __m256 least = _mm256_set1_ps(relu ? 0.0F : -std::numeric_limits<float>::infinity());
  const std::int64_t c_row = work.c_row;
  const bool is_aligned =
      (reinterpret_cast<std::uintptr_t>(work.c) | static_cast<std::uintptr_t>(sizeof(float) * c_row)) % 64 == 0;
  const bool streams = work.end.stream && work.is_last && is_aligned && work.columns == strip_columns;
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) {
      float* to = work.c + r * c_row + c * lanes;
      const __m256 value = _mm256_max_ps(least, sum[r][c]);  // NaN stays NaN, as in LibTorch's relu
      if (streams) {
        _mm256_stream_ps(to, value);
      } else if (work.columns >= (c + 1) * lanes) {
        _mm256_storeu_ps(to, value);
      } else {
        _mm256_maskstore_ps(to, tail_mask(work.columns - c * lanes), value);
      }
    }
  }
}

/// `steps` of the summed index.
template <int steps, int R, int C, bool transposed>
[[gnu::always_inline]] MOE_AVX2 inline void take_in(__m256 (&sum)[R][C], TileRows<R, transposed>& a, const float*& b,
                                                    std::int64_t b_row) {
#pragma GCC unroll 4
  for (int k = 0; k < steps; ++k) {
    __m256 values[C];
#pragma GCC unroll 2
    for (int c = 0; c < C; ++c) values[c] = _mm256_loadu_ps(b + c * lanes);
    b += b_row;
    make_opaque(b);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m256 factor = _mm256_broadcast_ss(a.at(r, k));
#pragma GCC unroll 2
      for (int c = 0; c < C; ++c) sum[r][c] = _mm256_fmadd_ps(factor, values[c], sum[r][c]);
    }
    if (transposed) a.move(a.stride);
  }
  if (!transposed) a.move(steps);
}

/// Every loop over R and C is unrolled, so that the sums stay in registers.
template <int R, int C, bool transposed>
MOE_AVX2 void tile(const Work& work) {
  __m256 sum[R][C];
  start(work, sum);
  TileRows<R, transposed> a(work.a, work.a_stride);
  const float* b = work.b;
  constexpr int steps = 4;
  std::int64_t k = 0;
  for (; k + line <= work.depth; k += line) {
    if (!transposed) prefetch_rows<R>(work.ahead, k);
    for (int i = 0; i < line; i += steps) {
      make_opaque(a.stride);
      take_in<steps>(sum, a, b, work.b_row);
    }
  }
  for (; k < work.depth; ++k) take_in<1>(sum, a, b, work.b_row);
  finish(work, sum);
}

using Tile = void (*)(const Work&);

template <bool transposed, std::size_t... RC>
constexpr std::array<Tile, sizeof...(RC)> make_tiles(std::index_sequence<RC...>) {
  return {tile<static_cast<int>(RC / tile_vectors) + 1, static_cast<int>(RC % tile_vectors) + 1, transposed>...};
}
template <bool transposed>
inline constexpr auto tiles = make_tiles<transposed>(std::make_index_sequence<std::size_t{tile_rows} * tile_vectors>());

inline Tile tile_of(std::int64_t rows, std::int64_t columns, bool transposed) {
  const auto index = static_cast<std::size_t>((rows - 1) * tile_vectors + (columns > lanes ? 1 : 0));
  return transposed ? tiles<true>[index] : tiles<false>[index];
}

/// out[k, c] = in[c, k] for 8 by 8 elements, of which `columns` and `depth` exist; the others become 0. Of each row the
/// first `written` elements are stored.
MOE_AVX2 inline void transpose_block(const float* in, std::int64_t in_column, std::int64_t columns, std::int64_t depth,
                                     float* out, std::int64_t out_row, std::int64_t written) {
  const __m256i there = tail_mask(depth);
  __m256 x[8], y[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    x[i] = i < columns ? _mm256_maskload_ps(in + i * in_column, there) : _mm256_setzero_ps();
  }
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    y[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
    y[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      x[i + 2 * j] = _mm256_shuffle_ps(y[i + j], y[i + 2 + j], 0x44);
      x[i + 2 * j + 1] = _mm256_shuffle_ps(y[i + j], y[i + 2 + j], 0xEE);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    y[j] = _mm256_permute2f128_ps(x[j], x[4 + j], 0x20);
    y[4 + j] = _mm256_permute2f128_ps(x[j], x[4 + j], 0x31);
  }
#pragma GCC unroll 8
  for (int k = 0; k < 8; ++k) {
    if (k >= depth) break;
    float* to = out + k * out_row;
    written >= lanes ? _mm256_storeu_ps(to, y[k]) : _mm256_maskstore_ps(to, tail_mask(written), y[k]);
  }
}

/// Columns of a matrix whose rows have their elements side by side, into strips one behind another, each [rows,
/// strip_columns] with any values behind the last column.
MOE_AVX2 inline void copy_strips(const MatrixView& matrix, float* out) {
  constexpr std::int64_t ahead = 8;  // rows
  const std::int64_t whole = matrix.columns / strip_columns * strip_columns;
  for (std::int64_t k = 0; k < matrix.rows; ++k, out += strip_columns) {
    const float* in = matrix.data + k * matrix.row_stride;
    float* to = out;
    std::int64_t i = 0;
    for (; i < whole; i += strip_columns, to += matrix.rows * strip_columns) {
      __builtin_prefetch(in + ahead * matrix.row_stride + i);
      const __m256 first = _mm256_loadu_ps(in + i), second = _mm256_loadu_ps(in + i + lanes);
      _mm256_storeu_ps(to, first);
      _mm256_storeu_ps(to + lanes, second);
    }
    for (; i < matrix.columns; i += lanes, to += lanes) {
      _mm256_storeu_ps(to, _mm256_maskload_ps(in + i, tail_mask(matrix.columns - i)));
    }
  }
}

/// Floats from a copied tile to the next, whose summed indices are `depth`: with workspace for the rest of a vector.
constexpr std::int64_t copied_tile(std::int64_t depth) {
  return tile_rows * (depth + 1);
}

/// Rows that lie side by side, into tiles one behind another, each [columns, tile_rows].
MOE_AVX2 inline void copy_tiles(const MatrixView& matrix, float* out) {
  for (std::int64_t k = 0; k < matrix.columns; ++k, out += tile_rows) {
    const float* in = matrix.data + k * matrix.column_stride;
    float* to = out;
    std::int64_t row = 0;
    for (; row + lanes <= matrix.rows; row += tile_rows, to += copied_tile(matrix.columns)) {
      _mm256_storeu_ps(to, _mm256_loadu_ps(in + row));  // the next summed index writes over what is too much
    }
    for (; row < matrix.rows; row += tile_rows, to += copied_tile(matrix.columns)) {
      _mm256_storeu_ps(to, _mm256_maskload_ps(in + row, tail_mask(matrix.rows - row)));
    }
  }
}

}  // namespace moe::avx2

#endif
