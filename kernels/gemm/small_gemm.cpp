#include "kernels/gemm/small_gemm.h"

#include "core/error.h"
#include "kernels/gemm/pack.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/store_rows.h"
#include "kernels/simd/transpose_block.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>
#include <utility>

// A tile of R rows and C vectors of c stays in registers. One body for AVX-512, AVX2 and pairs of bfloat16, in the
// compiler's own vectors.

namespace moe {

#ifdef MOE_HAS_X86_CODE
namespace {

using c10::BFloat16;
using Vector [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;

/// What a tile reads and writes. Where bfloat16 is multiplied, a float of a and b is a pair of them.
struct Tile {
  MatrixView a, b;
  float* c;
  std::int64_t c_row;
};

struct Floats {
  [[gnu::always_inline]] static void add_product(float a, const Vector& b, Vector& sum) { sum += a * b; }
};
struct Pairs {
  MOE_AVX512_BF16 static void add_product(float a, const Vector& b, Vector& sum) {
    sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(_mm512_set1_ps(a)), reinterpret_cast<__m512bh>(b));
  }
};

template <class Numbers, int R, int C>
[[gnu::always_inline]] inline void multiply_tile(const Tile& tile) {
  Vector sum[R][C] = {};
  const float* a = tile.a.data;
  const float* b = tile.b.data;
  for (std::int64_t k = 0; k < tile.b.rows; ++k, a += tile.a.column_stride, b += tile.b.row_stride) {
    Vector values[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) values[c] = *reinterpret_cast<const Vector*>(b + c * vector_floats);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) Numbers::add_product(a[r * tile.a.row_stride], values[c], sum[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) *reinterpret_cast<Vector*>(tile.c + r * tile.c_row + c * vector_floats) = sum[r][c];
  }
}

struct Avx512 {
  template <int R, int C>
  MOE_AVX512 static void multiply(const Tile& tile) {
    multiply_tile<Floats, R, C>(tile);
  }
};
struct Avx512Bf16 {
  template <int R, int C>
  MOE_AVX512_BF16 static void multiply(const Tile& tile) {
    multiply_tile<Pairs, R, C>(tile);
  }
};
struct Avx2 {
  template <int R, int C>
  MOE_AVX2 static void multiply(const Tile& tile) {
    multiply_tile<Floats, R, C>(tile);
  }
};

using MultiplyTile = void (*)(const Tile&);

/// Tiles of one width, of 1, 2, ... rows.
struct Tiles {
  std::int64_t columns;
  std::span<const MultiplyTile> of_rows;
};

template <class Isa, int C, std::size_t... R>
constexpr auto make_tiles(std::index_sequence<R...>) {
  return std::array<MultiplyTile, sizeof...(R)>{Isa::template multiply<static_cast<int>(R) + 1, C>...};
}
/// Of up to C vectors and R rows, which leave sums and operands in registers.
template <class Isa, int C, int R>
constexpr auto tiles = make_tiles<Isa, C>(std::make_index_sequence<R>());

constexpr std::int64_t most_sums = vector_floats * 6 * 4;  ///< of any tile

/// The widest first.
template <class Isa>
constexpr std::array<Tiles, 3> tiles_avx512{
    {{4 * vector_floats, tiles<Isa, 4, 6>}, {2 * vector_floats, tiles<Isa, 2, 8>}, {vector_floats, tiles<Isa, 1, 8>}}};
constexpr std::array<Tiles, 1> tiles_avx2{{{vector_floats, tiles<Avx2, 1, 6>}}};

std::span<const Tiles> tiles_of(float) {
  return has_avx512() ? std::span<const Tiles>(tiles_avx512<Avx512>) : tiles_avx2;
}
std::span<const Tiles> tiles_of(BFloat16) {
  return tiles_avx512<Avx512Bf16>;
}

/// Where c is rounded, or stored past the caches, that is done with one tile while the next is computed.
template <class Out>
void multiply(const MatrixView& a, const MatrixView& b, Out* c, std::int64_t c_row, bool non_temporal) {
  const bool in_place = std::is_same_v<Out, float> && !non_temporal;
  thread_local Workspace workspace;
  float* sums = workspace.reserve(most_sums);
  std::int64_t column = 0;
  for (const Tiles& tiles : tiles_of(Out())) {
    const auto [columns, of_rows] = tiles;
    for (; b.columns - column >= columns; column += columns) {
      for (std::int64_t row = 0; row < a.rows; row += std::ssize(of_rows)) {
        const std::int64_t rows = std::min(std::ssize(of_rows), a.rows - row);
        Out* to = c + row * c_row + column;
        const Tile tile{a.row_range(row, rows), b.column_range(column, columns),
                        in_place ? reinterpret_cast<float*>(to) : sums, in_place ? c_row : columns};
        of_rows[static_cast<std::size_t>(rows - 1)](tile);
        if (!in_place) store_rows(sums, columns, rows, columns, to, c_row, non_temporal);
      }
    }
  }
}

}  // namespace
#endif

template <class Scalar>
void small_gemm(const BasicMatrixView<Scalar>& a, const BasicMatrixView<Scalar>& b, [[maybe_unused]] Scalar* c,
                std::int64_t c_row_stride, [[maybe_unused]] bool non_temporal) {
  constexpr bool is_float = std::is_same_v<Scalar, float>;
  const bool can_run = is_float ? has_avx2() && a.columns == b.rows : has_avx512_bf16() && are_operands(a, b);
  MOE_CHECK(can_run && b.column_stride == 1 && b.columns % vector_floats == 0 && c_row_stride >= b.columns,
            "A small product of [{}, {}] and [{}, {}], into rows of {}.", a.rows, a.columns, b.rows, b.columns,
            c_row_stride);
#ifdef MOE_HAS_X86_CODE
  if constexpr (is_float) {
    multiply(a, b, c, c_row_stride, non_temporal);
  } else {
    thread_local Workspace a_workspace, b_workspace;
    const std::int64_t depth = round_up(a.columns, 2);
    float* a_pairs = a_workspace.reserve(depth / 2 * a.rows);
    float* b_pairs = b_workspace.reserve(depth / 2 * b.columns);
    pack_columns(a.transposed(), depth, a.rows, reinterpret_cast<Scalar*>(a_pairs));
    pack_columns(b, depth, b.columns, reinterpret_cast<Scalar*>(b_pairs));
    multiply(row_major<float>(a_pairs, depth / 2, a.rows).transposed(), row_major<float>(b_pairs, depth / 2, b.columns),
             c, c_row_stride, non_temporal);
  }
#endif
}

template void small_gemm(const MatrixView&, const MatrixView&, float*, std::int64_t, bool);
template void small_gemm(const Bf16View&, const Bf16View&, c10::BFloat16*, std::int64_t, bool);

}  // namespace moe
