#include "kernels/gemm/small_gemm.h"

#include "core/error.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/store_rows.h"
#include "kernels/simd/transpose_block.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <array>
#include <utility>

// A tile of R rows and C vectors of c stays in registers. One body for AVX-512 and AVX2, by the compiler's own vectors.

namespace moe {

#ifdef MOE_HAS_X86_CODE
namespace {

using Vector [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;

/// What a tile reads and writes.
struct Tile {
  const float* a;
  std::int64_t a_row, a_column;
  const float* b;
  std::int64_t b_row, depth;
  float* c;
  std::int64_t c_row;
};

template <int R, int C>
[[gnu::always_inline]] inline void multiply_tile(const Tile& tile) {
  Vector sum[R][C] = {};
  const float* a = tile.a;
  const float* b = tile.b;
  for (std::int64_t k = 0; k < tile.depth; ++k, a += tile.a_column, b += tile.b_row) {
    Vector values[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) values[c] = *reinterpret_cast<const Vector*>(b + c * vector_floats);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] += a[r * tile.a_row] * values[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) *reinterpret_cast<Vector*>(tile.c + r * tile.c_row + c * vector_floats) = sum[r][c];
  }
}

template <int R, int C>
MOE_AVX512 void tile_avx512(const Tile& tile) {
  multiply_tile<R, C>(tile);
}
template <int R, int C>
MOE_AVX2 void tile_avx2(const Tile& tile) {
  multiply_tile<R, C>(tile);
}

using MultiplyTile = void (*)(const Tile&);

/// Tiles of 1 to R rows, as high and wide as registers are there for.
template <int C, std::size_t... R>
constexpr auto tiles_avx512(std::index_sequence<R...>) {
  return std::array<MultiplyTile, sizeof...(R)>{tile_avx512<static_cast<int>(R) + 1, C>...};
}
template <std::size_t... R>
constexpr auto tiles_avx2(std::index_sequence<R...>) {
  return std::array<MultiplyTile, sizeof...(R)>{tile_avx2<static_cast<int>(R) + 1, 1>...};
}

/// All rows of a, tile by tile. non_temporal: one is stored past the caches while the next is computed.
template <std::int64_t tile_columns, class Tiles>
void multiply_columns(const Tiles& tiles, std::int64_t all_rows, Tile tile, bool non_temporal) {
  constexpr auto most_rows = static_cast<std::int64_t>(std::tuple_size_v<Tiles>);
  thread_local Workspace workspace;
  float* sums = non_temporal ? workspace.reserve(most_rows * tile_columns) : nullptr;
  for (std::int64_t row = 0; row < all_rows; row += most_rows) {
    const std::int64_t rows = std::min(most_rows, all_rows - row);
    const MultiplyTile multiply = tiles[static_cast<std::size_t>(rows - 1)];
    if (sums == nullptr) {
      multiply(tile);
    } else {
      multiply({tile.a, tile.a_row, tile.a_column, tile.b, tile.b_row, tile.depth, sums, tile_columns});
      store_rows(sums, tile_columns, rows, tile_columns, tile.c, tile.c_row, /*non_temporal=*/true);
    }
    tile.a += rows * tile.a_row;
    tile.c += rows * tile.c_row;
  }
}

}  // namespace
#endif

void small_gemm(const MatrixView& a, const MatrixView& b, [[maybe_unused]] float* c, std::int64_t c_row_stride,
                [[maybe_unused]] bool non_temporal) {
  MOE_CHECK(has_avx2() && a.columns == b.rows && b.column_stride == 1 && b.columns % vector_floats == 0 &&
                c_row_stride >= b.columns,
            "A small product of [{}, {}] and [{}, {}], into rows of {}.", a.rows, a.columns, b.rows, b.columns,
            c_row_stride);
#ifdef MOE_HAS_X86_CODE
  static constexpr auto widest = tiles_avx512<4>(std::make_index_sequence<6>());
  static constexpr auto wide = tiles_avx512<2>(std::make_index_sequence<8>());
  static constexpr auto narrow = tiles_avx512<1>(std::make_index_sequence<8>());
  static constexpr auto narrow_avx2 = tiles_avx2(std::make_index_sequence<6>());
  constexpr std::int64_t one = vector_floats, two = 2 * one, four = 4 * one;
  for (std::int64_t column = 0; column < b.columns;) {
    const std::int64_t left = has_avx512() ? b.columns - column : one;
    const std::int64_t columns = left >= four ? four : left >= two ? two : one;
    const Tile tile{a.data,       a.row_stride, a.column_stride, b.data + column,
                    b.row_stride, b.rows,       c + column,      c_row_stride};
    if (columns == four) {
      multiply_columns<four>(widest, a.rows, tile, non_temporal);
    } else if (columns == two) {
      multiply_columns<two>(wide, a.rows, tile, non_temporal);
    } else {
      has_avx512() ? multiply_columns<one>(narrow, a.rows, tile, non_temporal)
                   : multiply_columns<one>(narrow_avx2, a.rows, tile, non_temporal);
    }
    column += columns;
  }
#endif
}

}  // namespace moe
