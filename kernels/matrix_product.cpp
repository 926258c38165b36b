#include "kernels/matrix_product.h"

#include "core/error.h"
#include "kernels/room.h"
#include "kernels/transpose_block.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

// A tile of R rows and C vectors of the result stays in registers while it takes in a block of the summed index. Around
// it: strips of columns, whose part of b stays in the second cache, and panels of rows. What lies crosswise is copied
// as it is needed: a strip of b by transposing it, a panel of a by rows. So few columns that they fill half a vector
// share it with those of the next summed index.

namespace moe {

#ifdef MOE_HAS_AVX512_CODE
namespace {

constexpr int tile_sums = 24, tile_vectors = 4;  ///< of 32 registers, 24 hold sums
constexpr std::int64_t lanes = 16;               ///< floats in a vector
constexpr std::int64_t depth_block = 256;
constexpr std::int64_t panel_rows = 96;
constexpr std::int64_t near_elements = 1 << 12;   ///< that stay in the first cache, wherever they lie
constexpr std::int64_t pair_columns = lanes / 2;  ///< of b that are computed in pairs
static_assert(product_columns == tile_vectors * lanes);

/// Of a tile; narrow ones are higher, and whole numbers of all fit into a panel.
constexpr int tile_rows(std::int64_t vectors) {
  return tile_sums / (vectors > 2 ? tile_vectors : 2);
}
constexpr int most_tile_rows = tile_rows(1);
static_assert(panel_rows % most_tile_rows == 0 && most_tile_rows % tile_rows(tile_vectors) == 0);

/// What a tile reads and writes.
struct TileWork {
  const float* a;
  std::int64_t a_row, a_depth;
  RowsAhead ahead;  ///< of the tile's rows
  const float* b;
  std::int64_t b_row;
  float* c;
  std::int64_t c_row, depth;
  __mmask16 last_vector;   ///< columns of the last vector that there are
  bool is_first, is_last;  ///< block of the summed index
  bool meets_b_first;      ///< the next strip of b is fetched meanwhile
  ProductEnd end;          ///< bias from the tile's first column on
};

/// Every loop over R and C is unrolled, so that the sums stay in registers.
template <int R, int C>
MOE_AVX512 void tile(const TileWork& work) {
  const auto mask = [&](int c) { return c == C - 1 ? work.last_vector : __mmask16{0xFFFF}; };
  __m512 sum[R][C];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      if (!work.is_first) {
        sum[r][c] = _mm512_maskz_loadu_ps(mask(c), work.c + r * work.c_row + c * lanes);
        continue;
      }
      sum[r][c] = work.end.column_bias == nullptr ? _mm512_setzero_ps()
                                                  : _mm512_maskz_loadu_ps(mask(c), work.end.column_bias + c * lanes);
      if (work.end.row_bias != nullptr) sum[r][c] = _mm512_add_ps(sum[r][c], _mm512_set1_ps(work.end.row_bias[r]));
    }
  }
  const float* a = work.a;
  const float* b = work.b;
  for (std::int64_t k = 0; k < work.depth; ++k, a += work.a_depth, b += work.b_row) {
    if (work.a_depth == 1 && k % lanes == 0) {  // the rows of the next tile, a cache line at a time
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) __builtin_prefetch(work.ahead.at(r, k));
    }
    if (work.meets_b_first) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) __builtin_prefetch(b + product_columns + c * lanes);
    }
    __m512 values[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) values[c] = _mm512_maskz_loadu_ps(mask(c), b + c * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const __m512 factor = _mm512_set1_ps(a[r * work.a_row]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_fmadd_ps(factor, values[c], sum[r][c]);
    }
  }
  const bool relu = work.is_last && work.end.relu;
  const bool streams =
      work.end.stream && work.is_last && work.last_vector == 0xFFFF &&
      (reinterpret_cast<std::uintptr_t>(work.c) | static_cast<std::uintptr_t>(4 * work.c_row)) % 64 == 0;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      // NaN stays NaN, as in LibTorch's relu.
      const __m512 value = relu ? _mm512_max_ps(_mm512_setzero_ps(), sum[r][c]) : sum[r][c];
      float* to = work.c + r * work.c_row + c * lanes;
      if (streams) {
        _mm512_stream_ps(to, value);
      } else {
        _mm512_mask_storeu_ps(to, mask(c), value);
      }
    }
  }
}

/// R rows of at most pair_columns columns. b: [depth / 2, columns, 2], in whole vectors; `depth` is even.
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
      std::memcpy(&pair, a + r * work.a_row, sizeof(pair));
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
MOE_AVX512 void copy_in_pairs(const MatrixView& strip, float* out) {
  const __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const auto mask = static_cast<__mmask8>(first_lanes(strip.columns));
  for (std::int64_t k = 0; k < strip.rows; k += 2, out += lanes) {
    const float* row = strip.data + k * strip.row_stride;
    const __m512 first = _mm512_castps256_ps512(_mm256_maskz_loadu_ps(mask, row));
    const __m512 second = _mm512_castps256_ps512(_mm256_maskz_loadu_ps(mask, row + strip.row_stride));
    _mm512_storeu_ps(out, _mm512_permutex2var_ps(first, order, second));
  }
}

using Tile = void (*)(const TileWork&);

template <int R, int C>
constexpr Tile tile_if_used() {
  if constexpr (R <= tile_rows(C)) return tile<R, C>;
  return nullptr;
}

template <std::size_t... RC>
constexpr std::array<Tile, sizeof...(RC)> make_tiles(std::index_sequence<RC...>) {
  return {tile_if_used<static_cast<int>(RC / tile_vectors) + 1, static_cast<int>(RC % tile_vectors) + 1>()...};
}
constexpr auto tiles = make_tiles(std::make_index_sequence<std::size_t{most_tile_rows} * tile_vectors>());

template <std::size_t... R>
constexpr std::array<Tile, sizeof...(R)> make_pair_tiles(std::index_sequence<R...>) {
  return {pair_tile<static_cast<int>(R) + 1>...};
}
constexpr auto pair_tiles = make_pair_tiles(std::make_index_sequence<std::size_t{most_tile_rows}>());

Tile tile_of(std::int64_t rows, std::int64_t vectors) {
  return tiles[static_cast<std::size_t>((rows - 1) * tile_vectors + vectors - 1)];
}

/// A panel of a whose columns lie apart: out[k, r] with panel_rows a column.
void copy_panel(const MatrixView& panel, float* out) {
  for (std::int64_t k = 0; k < panel.columns; ++k) {
    std::copy_n(panel.data + k * panel.column_stride, panel.rows, out + k * panel_rows);
  }
}

/// One block of the summed index, for all tiles of a strip.
void multiply_strip(const MatrixView& a, const MatrixView& b, bool b_is_in_place, const RowsAhead& ahead,
                    TileWork work) {
  const std::int64_t vectors = (b.columns + lanes - 1) / lanes;
  const bool in_pairs = b.columns <= pair_columns && a.column_stride == 1 && b.rows % 2 == 0;
  work.a_row = a.row_stride;
  work.a_depth = a.column_stride;
  work.b = b.data;
  work.b_row = b.row_stride;
  work.depth = b.rows;
  work.last_vector = first_lanes(b.columns - (vectors - 1) * lanes);
  if (in_pairs) {
    thread_local Room room;
    float* pairs = room.take(depth_block * pair_columns);
    copy_in_pairs(b, pairs);
    work.b = pairs;
  }
  for (std::int64_t row = 0; row < a.rows; row += tile_rows(vectors)) {
    const std::int64_t rows = std::min<std::int64_t>(tile_rows(vectors), a.rows - row);
    work.a = a.data + row * a.row_stride;
    work.ahead = ahead.data == nullptr ? RowsAhead::of(work.a + rows * a.row_stride, a.row_stride) : ahead.from(row);
    work.meets_b_first = row == 0 && b_is_in_place;
    in_pairs ? pair_tiles[static_cast<std::size_t>(rows - 1)](work) : tile_of(rows, vectors)(work);
    work.c += rows * work.c_row;
    work.end.row_bias = bias_from(work.end.row_bias, rows);
  }
}

void multiply(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row, const ProductEnd& end,
              const RowsAhead& ahead) {
  const bool a_is_near = a.column_stride <= panel_rows || a.rows * a.columns <= near_elements;
  const bool copies_a = a.column_stride != 1 && !a_is_near, copies_b = b.column_stride != 1;
  const std::int64_t panel = copies_a ? panel_rows : std::max<std::int64_t>(a.rows, 1);
  for (std::int64_t row = 0; row < a.rows; row += panel) {
    const MatrixView rows = a.row_range(row, std::min(panel, a.rows - row));
    for (std::int64_t k = 0; k == 0 || k < b.rows; k += depth_block) {
      const std::int64_t depth = std::min(depth_block, b.rows - k);
      MatrixView a_block = rows.column_range(k, depth);
      if (copies_a) {
        thread_local Room room;
        float* copied = room.take(panel_rows * depth_block);
        copy_panel(a_block, copied);
        a_block = {copied, rows.rows, depth, 1, panel_rows};
      }
      for (std::int64_t column = 0; column < b.columns; column += product_columns) {
        const std::int64_t columns = std::min(product_columns, b.columns - column);
        MatrixView strip = b.row_range(k, depth).column_range(column, columns);
        if (copies_b) {
          thread_local Room room;
          float* copied = room.take(depth_block * product_columns);
          copy_crosswise(strip, copied, product_columns);
          strip = {copied, depth, columns, product_columns};
        }
        TileWork work{};
        work.c = c + row * c_row + column;
        work.c_row = c_row;
        work.is_first = k == 0 && !end.accumulate;
        work.is_last = k + depth_block >= b.rows;
        work.end = {bias_from(end.column_bias, column), end.relu, end.stream, bias_from(end.row_bias, row)};
        multiply_strip(a_block, strip, !copies_b, ahead, work);
      }
    }
  }
}

bool can_multiply() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}

}  // namespace

bool has_matrix_product() {
  static const bool has = can_multiply();
  return has;
}

bool prefers_matrix_product() {
  static const bool prefers = has_matrix_product() && runs_on_amd();
  return prefers;
}

bool runs_on_amd() {
  return __builtin_cpu_is("amd") != 0;
}

void matrix_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                    const ProductEnd& end, const RowsAhead& ahead) {
  MOE_CHECK(are_operands(a, b) && c_row_stride >= b.columns,
            "A product of [{}, {}] and [{}, {}] with strides [{}, {}] and [{}, {}], into rows of {}.", a.rows,
            a.columns, b.rows, b.columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride, c_row_stride);
  multiply(a, b, c, c_row_stride, end, ahead);
}

MOE_AVX512 void copy_crosswise(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors) {
  for (std::int64_t c = 0; c < matrix.columns; c += lanes) {
    const __mmask16 written = fills_vectors ? __mmask16{0xFFFF} : first_lanes(matrix.columns - c);
    for (std::int64_t k = 0; k < matrix.rows; k += lanes) {
      const float* in = matrix.data + c * matrix.column_stride + k;
      for (std::int64_t i = 0; i < lanes; ++i) __builtin_prefetch(in + (lanes + i) * matrix.column_stride);
      transpose_block(in, matrix.column_stride, matrix.columns - c, first_lanes(matrix.rows - k),
                      out + k * out_row_stride + c, out_row_stride, written);
    }
  }
}

#else

bool has_matrix_product() {
  return false;
}

bool prefers_matrix_product() {
  return false;
}

bool runs_on_amd() {
  return false;
}

void matrix_product(const MatrixView&, const MatrixView&, float*, std::int64_t, const ProductEnd&, const RowsAhead&) {
  throw Error("This processor has no matrix product of ours.", ExitStatus::machine_failed);
}

void copy_crosswise(const MatrixView&, float*, std::int64_t, bool) {
  throw Error("This processor has no matrix product of ours.", ExitStatus::machine_failed);
}

#endif

}  // namespace moe
