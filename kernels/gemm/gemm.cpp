#include "kernels/gemm/gemm.h"

#include "core/error.h"
#include "kernels/gemm/avx2_gemm.h"
#include "kernels/gemm/float_tiles.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/transpose_block.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <cstdint>

// Around the tiles: as much of b as stays in the second cache is copied into strips of columns, each of which then lies
// side by side; panels of rows of a that stay there too meet all of its strips. What meets few rows is read in place.

namespace moe {

#ifdef MOE_HAS_X86_CODE
namespace {

using float_tiles::copy_in_pairs;
using float_tiles::lanes;
using float_tiles::most_tile_rows;
using float_tiles::pair_columns;
using float_tiles::pair_tiles;
using float_tiles::tile_of;
using float_tiles::tile_rows;
using float_tiles::tile_vectors;
using float_tiles::TileWork;

constexpr std::int64_t depth_block = 256;               ///< of the summed index, that a tile takes in at once
constexpr std::int64_t most_depth = 4 * depth_block;    ///< that strips and panels have
constexpr std::int64_t near_b = std::int64_t{1} << 17;  ///< elements of b that stay near
constexpr std::int64_t near_a = std::int64_t{1} << 15;  ///< and of a
constexpr std::int64_t most_rows_in_place = 96;         ///< that do not pay for a copy of b
constexpr std::int64_t copied_ahead = 8;                ///< rows that are fetched while one is copied
static_assert(gemm_columns == tile_vectors * lanes);
static_assert(most_tile_rows % tile_rows(tile_vectors) == 0);  // no tile reaches over two panels

/// A strip whose rows have their elements side by side.
MOE_AVX512 void copy_rows(const MatrixView& matrix, float* out) {
  for (std::int64_t k = 0; k < matrix.rows; ++k, out += gemm_columns) {
    const float* in = matrix.data + k * matrix.row_stride;
    for (std::int64_t i = 0; i < matrix.columns; i += lanes) {
      __builtin_prefetch(in + copied_ahead * matrix.row_stride + i);
      const __mmask16 there = tail_mask(matrix.columns - i);
      _mm512_mask_storeu_ps(out + i, there, _mm512_maskz_loadu_ps(there, in + i));
    }
  }
}

/// One block of the summed index, for all tiles of a strip.
void multiply_strip(const MatrixView& a, const MatrixView& b, const PrefetchHint& ahead, TileWork work) {
  const std::int64_t vectors = (b.columns + lanes - 1) / lanes;
  const bool transposed = a.column_stride != 1;
  const bool in_pairs = b.columns <= pair_columns && !transposed && b.rows % 2 == 0;
  work.a_stride = transposed ? a.column_stride : a.row_stride;
  work.b = b.data;
  work.b_row = b.row_stride;
  work.depth = b.rows;
  work.last_vector = tail_mask(b.columns - (vectors - 1) * lanes);
  if (in_pairs) {
    thread_local Workspace workspace;
    float* pairs = workspace.reserve(depth_block * pair_columns);
    copy_in_pairs(b, pairs);
    work.b = pairs;
  }
  for (std::int64_t row = 0; row < a.rows; row += tile_rows(vectors)) {
    const std::int64_t rows = std::min<std::int64_t>(tile_rows(vectors), a.rows - row);
    work.a = a.data + row * a.row_stride;
    work.ahead = ahead.data == nullptr ? PrefetchHint::of(work.a + rows * a.row_stride, a.row_stride) : ahead.from(row);
    in_pairs ? pair_tiles[static_cast<std::size_t>(rows - 1)](work) : tile_of(rows, vectors, transposed)(work);
    work.c += rows * work.c_row;
    work.end.row_bias = bias_from(work.end.row_bias, rows);
    work.meets_b_first = false;
  }
}

/// A product whose operands are cut into what stays near.
class Multiplication {
 public:
  Multiplication(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row, const Epilogue& end,
                 const PrefetchHint& ahead)
      : a_(a),
        b_(b),
        c_(c),
        c_row_(c_row),
        end_(end),
        ahead_(ahead),
        copies_b_(b.column_stride != 1 || (a.rows > most_rows_in_place && b.row_stride > gemm_columns)) {}

  void run() const {
    // The rows of a that lie side by side are far apart along the summed index: few of it are near at a time.
    const std::int64_t section = a_.column_stride == 1 ? most_depth : depth_block;
    for (std::int64_t k = 0; k == 0 || k < b_.rows; k += section) {
      const std::int64_t depth = std::min(section, b_.rows - k);
      const std::int64_t group = std::max(near_b / std::max(depth, lanes) / gemm_columns, std::int64_t{1});
      for (std::int64_t column = 0; column < b_.columns; column += group * gemm_columns) {
        const std::int64_t columns = std::min(group * gemm_columns, b_.columns - column);
        multiply_group(k, b_.row_range(k, depth).column_range(column, columns), column);
      }
    }
  }

 private:
  /// Columns from `column` on, for the summed indices from `first` on.
  void multiply_group(std::int64_t first, const MatrixView& b, std::int64_t column) const {
    thread_local Workspace workspace;
    const float* strips = nullptr;
    if (copies_b_) {
      float* to = workspace.reserve(b.rows * (b.columns + gemm_columns));
      copy_strips(b, to);
      strips = to;
    }
    const std::int64_t near_rows = near_a / std::max(b.rows, lanes) / most_tile_rows * most_tile_rows;
    const std::int64_t panel = std::max<std::int64_t>(near_rows, most_tile_rows);
    for (std::int64_t row = 0; row < a_.rows; row += panel) {
      const MatrixView rows = a_.row_range(row, std::min(panel, a_.rows - row)).column_range(first, b.rows);
      for (std::int64_t k = 0; k == 0 || k < b.rows; k += depth_block) {
        const std::int64_t depth = std::min(depth_block, b.rows - k);
        for (std::int64_t s = 0; s < b.columns; s += gemm_columns) {
          const std::int64_t columns = std::min(gemm_columns, b.columns - s);
          const MatrixView strip =
              copies_b_ ? MatrixView{strips + s * b.rows + k * gemm_columns, depth, columns, gemm_columns}
                        : b.row_range(k, depth).column_range(s, columns);
          TileWork work{};
          work.c = c_ + row * c_row_ + column + s;
          work.c_row = c_row_;
          work.is_first = first + k == 0 && !end_.accumulate;
          work.is_last = first + k + depth_block >= b_.rows;
          work.end = {bias_from(end_.column_bias, column + s), end_.relu, end_.stream, bias_from(end_.row_bias, row)};
          work.meets_b_first = !copies_b_ && s + columns < b.columns;
          multiply_strip(rows.column_range(k, depth), strip, ahead_.data == nullptr ? ahead_ : ahead_.from(row), work);
        }
      }
    }
  }

  static void copy_strips(const MatrixView& b, float* out) {
    for (std::int64_t s = 0; s < b.columns; s += gemm_columns, out += b.rows * gemm_columns) {
      const MatrixView strip = b.column_range(s, std::min(gemm_columns, b.columns - s));
      strip.column_stride == 1 ? copy_rows(strip, out) : pack_transposed(strip, out, gemm_columns);
    }
  }

  MatrixView a_, b_;
  float* c_;
  std::int64_t c_row_;
  Epilogue end_;
  PrefetchHint ahead_;
  bool copies_b_;
};

/// As pack_transposed.
MOE_AVX512 void turn(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors) {
  for (std::int64_t c = 0; c < matrix.columns; c += lanes) {
    const __mmask16 written = fills_vectors ? __mmask16{0xFFFF} : tail_mask(matrix.columns - c);
    for (std::int64_t k = 0; k < matrix.rows; k += lanes) {
      const float* in = matrix.data + c * matrix.column_stride + k;
      for (std::int64_t i = 0; i < lanes; ++i) __builtin_prefetch(in + (lanes + i) * matrix.column_stride);
      transpose_block(in, matrix.column_stride, matrix.columns - c, tail_mask(matrix.rows - k),
                      out + k * out_row_stride + c, out_row_stride, written);
    }
  }
}

}  // namespace

void gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride, const Epilogue& end,
          const PrefetchHint& ahead) {
  if (!has_avx512()) return avx2_gemm(a, b, c, c_row_stride, end, ahead);
  check_operands(a, b, c_row_stride);
  Multiplication(a, b, c, c_row_stride, end, ahead).run();
}

void pack_transposed(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors) {
  (has_avx512() ? turn : avx2_pack_transposed)(matrix, out, out_row_stride, fills_vectors);
}

#else

void gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride, const Epilogue& end,
          const PrefetchHint& ahead) {
  avx2_gemm(a, b, c, c_row_stride, end, ahead);
}

void pack_transposed(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors) {
  avx2_pack_transposed(matrix, out, out_row_stride, fills_vectors);
}

#endif

}  // namespace moe
