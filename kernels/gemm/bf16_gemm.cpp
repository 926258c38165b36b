#include "kernels/gemm/bf16_gemm.h"

#include "core/error.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/vnni_layout.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

// As in gemm.cpp, with pairs of summed elements, 32 bits, in the place of its floats: an instruction
// multiplies pairs and adds both products. Operands whose pairs do not lie side by side are copied so that they do. The
// summed index is not cut into blocks: few rows meet at most a few thousand of it.

namespace moe {

#ifdef MOE_HAS_X86_CODE
namespace {

#define MOE_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))

constexpr int tile_rows = 6, tile_vectors = 4;
constexpr std::int64_t lanes = 16, panel_rows = 96;
static_assert(strip_columns == tile_vectors * lanes);
static_assert(panel_rows % tile_rows == 0);  // no tile reaches over two panels

/// What a tile reads and writes; strides of a and b count pairs.
struct TileWork {
  const std::uint32_t* a = nullptr;
  std::int64_t a_row = 0, a_depth = 0;
  const std::uint32_t* b = nullptr;  ///< a strip, [depth, strip_columns]
  c10::BFloat16* c = nullptr;
  std::int64_t c_row = 0, depth = 0;
  __mmask16 last_vector = 0;  ///< columns of the last vector that there are
  Bf16Epilogue end;           ///< bias from the tile's first column on
};

/// Two bfloat16, which lie where their type says.
inline int load_pair(const std::uint32_t* pair) {
  int bits = 0;
  std::memcpy(&bits, pair, sizeof(bits));
  return bits;
}

template <int R, int C>
MOE_AVX512_BF16 void tile(const TileWork& work) {
  const auto mask = [&](int c) { return c == C - 1 ? work.last_vector : __mmask16{0xFFFF}; };
  __m512 sum[R][C];
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    __m512 bias = _mm512_setzero_ps();
    if (work.end.column_bias != nullptr) {
      const __m256i bits = _mm256_maskz_loadu_epi16(mask(c), work.end.column_bias + c * lanes);
      bias = widen(bits);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float row_bias = work.end.row_bias == nullptr ? 0.0F : static_cast<float>(work.end.row_bias[r]);
      sum[r][c] = _mm512_add_ps(bias, _mm512_set1_ps(row_bias));
    }
  }
  const std::uint32_t* a = work.a;
  const std::uint32_t* b = work.b;
  for (std::int64_t k = 0; k < work.depth; ++k, a += work.a_depth, b += strip_columns) {
    __m512bh values[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) values[c] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + c * lanes));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_epi32(load_pair(a + r * work.a_row)));
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_dpbf16_ps(sum[r][c], factor, values[c]);
    }
  }
  const bool streams =
      work.end.stream && work.last_vector == 0xFFFF &&
      (reinterpret_cast<std::uintptr_t>(work.c) | static_cast<std::uintptr_t>(2 * work.c_row)) % 32 == 0;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const __m512 value = work.end.relu ? _mm512_max_ps(_mm512_setzero_ps(), sum[r][c]) : sum[r][c];
      const auto rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value));
      c10::BFloat16* to = work.c + r * work.c_row + c * lanes;
      if (streams) {
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to), rounded);
      } else {
        _mm256_mask_storeu_epi16(to, mask(c), rounded);
      }
    }
  }
}

using Tile = void (*)(const TileWork&);

template <std::size_t... RC>
constexpr std::array<Tile, sizeof...(RC)> make_tiles(std::index_sequence<RC...>) {
  return {tile<static_cast<int>(RC / tile_vectors) + 1, static_cast<int>(RC % tile_vectors) + 1>...};
}
constexpr auto tiles = make_tiles(std::make_index_sequence<std::size_t{tile_rows} * tile_vectors>());

/// All of a as pairs, panel after panel: [panels, depth / 2, panel_rows].
void copy_panels(const Bf16View& a, std::int64_t pairs, std::uint32_t* out) {
  for (std::int64_t row = 0; row < a.rows; row += panel_rows, out += pairs * panel_rows) {
    pack_vnni(a.data + row, a.columns, a.column_stride, std::min(panel_rows, a.rows - row), out, panel_rows);
  }
}

void multiply(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16Epilogue& end) {
  thread_local Workspace a_workspace, b_workspace;
  const std::int64_t pairs = (b.rows + 1) / 2;
  const bool copies_a = a.column_stride != 1;
  TileWork work{};
  work.a_row = a.row_stride / 2;
  work.a_depth = 1;
  work.c_row = b.columns;
  work.depth = pairs;
  const auto* a_pairs = reinterpret_cast<const std::uint32_t*>(a.data);
  if (copies_a) {
    const std::int64_t panels = (a.rows + panel_rows - 1) / panel_rows;
    auto* copied =
        reinterpret_cast<std::uint32_t*>(a_workspace.reserve(std::max<std::int64_t>(panels * pairs, 1) * panel_rows));
    copy_panels(a, pairs, copied);
    a_pairs = copied;
    work.a_row = 1;
    work.a_depth = panel_rows;
  }
  auto* strip = reinterpret_cast<std::uint32_t*>(b_workspace.reserve(std::max<std::int64_t>(pairs, 1) * strip_columns));
  work.b = strip;
  for (std::int64_t column = 0; column < b.columns; column += strip_columns) {
    const std::int64_t columns = std::min(strip_columns, b.columns - column);
    copy_strip(b, column, columns, strip);
    const std::int64_t vectors = (columns + lanes - 1) / lanes;
    work.last_vector = tail_mask(columns - (vectors - 1) * lanes);
    work.end = {bias_from(end.column_bias, column), end.relu, end.stream};
    for (std::int64_t row = 0; row < a.rows; row += tile_rows) {
      work.a =
          copies_a ? a_pairs + row / panel_rows * pairs * panel_rows + row % panel_rows : a_pairs + row * work.a_row;
      work.c = c + row * b.columns + column;
      work.end.row_bias = bias_from(end.row_bias, row);
      const std::int64_t rows = std::min<std::int64_t>(tile_rows, a.rows - row);
      tiles[static_cast<std::size_t>((rows - 1) * tile_vectors + vectors - 1)](work);
    }
  }
}

/// The rows of a matrix whose columns lie apart, turned as float32.
void copy_widened(const Bf16View& matrix, c10::BFloat16* out) {
  constexpr std::int64_t rows_at_once = 64;
  thread_local Workspace wide_workspace, turned_workspace;
  float* wide = wide_workspace.reserve(rows_at_once * matrix.columns);
  float* turned = turned_workspace.reserve(rows_at_once * matrix.columns);
  for (std::int64_t row = 0; row < matrix.rows; row += rows_at_once) {
    const std::int64_t rows = std::min(rows_at_once, matrix.rows - row);
    widen_rows(matrix.data + row, matrix.column_stride, matrix.columns, rows, wide);
    pack_transposed(row_major(wide, matrix.columns, rows).transposed(), turned, matrix.columns,
                    /*fills_vectors=*/false);
    narrow_row(turned, rows * matrix.columns, out + row * matrix.columns);
  }
}

}  // namespace

void bf16_gemm(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16Epilogue& end) {
  check_operands(a, b, /*reads_a_in_pairs=*/true);
  multiply(a, b, c, end);
}

void pack_transposed(const Bf16View& matrix, c10::BFloat16* out) {
  MOE_CHECK(matrix.row_stride == 1 && matrix.columns % 2 == 0,
            "Rows of {} elements, {} apart, are not laid out in pairs.", matrix.columns, matrix.row_stride);
  if (has_avx512()) {
    pack_pairs_transposed(matrix, reinterpret_cast<std::uint32_t*>(out), matrix.columns / 2);
  } else {
    copy_widened(matrix, out);
  }
}

#else

void bf16_gemm(const Bf16View&, const Bf16View&, c10::BFloat16*, const Bf16Epilogue&) {
  throw Error("This processor has no bfloat16 product of ours.", ExitStatus::machine_failed);
}

void pack_transposed(const Bf16View&, c10::BFloat16*) {
  throw Error("This processor has no bfloat16 product of ours.", ExitStatus::machine_failed);
}

#endif

}  // namespace moe
