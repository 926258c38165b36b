#include "kernels/gemm/avx2_gemm.h"

#include "core/error.h"
#include "kernels/gemm/avx2_tiles.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

// Around the tiles: strips of b that stay in the second cache meet panels of rows of a that stay there too. b is copied
// into strips unless few rows meet it; a is copied if its rows lie side by side, or so far apart that they would take
// each other's place in the caches.

namespace moe {

#ifdef MOE_HAS_X86_CODE
namespace {

using avx2::lanes;
using avx2::strip_columns;
using avx2::tile_rows;

constexpr std::int64_t depth_block = 256;        ///< of the summed index, that a tile takes in at once
constexpr std::int64_t group_columns = 256;      ///< of b, whose strips stay near
constexpr std::int64_t panel_rows = 60;          ///< of a
constexpr std::int64_t most_rows_in_place = 36;  ///< that do not pay for a copy of b
constexpr std::int64_t apart = 256;              ///< floats; rows at a multiple of it share few places in the caches
constexpr std::int64_t fewest_columns = 64;      ///< that pay for a copy of a
static_assert(panel_rows % tile_rows == 0);

/// Rows of a in a block of the summed index.
struct Panel {
  const float* data;
  std::int64_t rows;
  std::int64_t row_step;  ///< to the next row; where tiles are copied, as many make the way to the next tile
  std::int64_t stride;    ///< of a tile's rows, or of columns where the rows lie side by side
  bool transposed;
  std::int64_t rows_of_tile;
};

Panel copy_panel(const MatrixView& a, std::int64_t columns) {
  thread_local Workspace workspace;
  const bool transposed = a.column_stride != 1;
  if (transposed) {
    float* out = workspace.reserve(panel_rows / tile_rows * avx2::copied_tile(depth_block));
    avx2::copy_tiles(a, out);
    return {.data = out,
            .rows = a.rows,
            .row_step = avx2::copied_tile(a.columns) / tile_rows,
            .stride = tile_rows,
            .transposed = true,
            .rows_of_tile = tile_rows};
  }
  // Even tiles: one of a row or two takes as long as one of four.
  const std::int64_t tiles = (a.rows + tile_rows - 1) / tile_rows;
  Panel panel{.data = a.data,
              .rows = a.rows,
              .row_step = a.row_stride,
              .stride = a.row_stride,
              .transposed = false,
              .rows_of_tile = (a.rows + tiles - 1) / tiles};
  if (a.row_stride % apart != 0 || columns < fewest_columns || a.rows <= tile_rows) return panel;
  constexpr std::int64_t stride = depth_block + avx2::line;
  float* out = workspace.reserve(panel_rows * stride);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    std::memcpy(out + r * stride, a.data + r * a.row_stride, static_cast<std::size_t>(a.columns) * sizeof(float));
  }
  panel.data = out;
  panel.row_step = panel.stride = stride;
  return panel;
}

/// The columns of b in a block of the summed index.
class Strips {
 public:
  Strips(const MatrixView& b, std::int64_t rows) : b_(b) {
    const bool in_place =
        b.column_stride == 1 && b.columns % lanes == 0 && (rows <= most_rows_in_place || b.row_stride <= strip_columns);
    if (in_place) return;
    thread_local Workspace workspace;
    float* out = workspace.reserve(depth_block * (group_columns + strip_columns));
    copy_ = out;
    if (b.column_stride == 1) {
      avx2::copy_strips(b, out);
      return;
    }
    for (std::int64_t column = 0; column < b.columns; column += strip_columns) {
      const MatrixView strip = b.column_range(column, std::min(strip_columns, b.columns - column));
      avx2_pack_transposed(strip, out + column * b.rows, strip_columns);
    }
  }
  const float* from(std::int64_t column) const {
    return copy_ == nullptr ? b_.data + column : copy_ + column * b_.rows;
  }
  std::int64_t row_stride() const { return copy_ == nullptr ? b_.row_stride : strip_columns; }

 private:
  MatrixView b_;
  const float* copy_ = nullptr;
};

/// `all`: what all tiles share.
void multiply(const Panel& a, const Strips& strips, std::int64_t columns, const PrefetchHint& ahead,
              const avx2::Work& all) {
  for (std::int64_t column = 0; column < columns; column += strip_columns) {
    avx2::Work work = all;
    work.a_stride = a.stride;
    work.b = strips.from(column);
    work.b_row = strips.row_stride();
    work.c += column;
    work.columns = std::min(strip_columns, columns - column);
    work.end.column_bias = bias_from(work.end.column_bias, column);
    for (std::int64_t row = 0; row < a.rows; row += a.rows_of_tile) {
      const std::int64_t rows = std::min(a.rows_of_tile, a.rows - row);
      work.a = a.data + row * a.row_step;
      work.ahead = ahead.data == nullptr ? PrefetchHint::of(work.a + rows * a.row_step, a.row_step) : ahead.from(row);
      avx2::tile_of(rows, work.columns, a.transposed)(work);
      work.c += rows * work.c_row;
      work.end.row_bias = bias_from(work.end.row_bias, rows);
    }
  }
}

}  // namespace

void avx2_gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride, const Epilogue& end,
               const PrefetchHint& ahead) {
  check_operands(a, b, c_row_stride);
  for (std::int64_t k = 0; k == 0 || k < b.rows; k += depth_block) {
    const std::int64_t depth = std::min(depth_block, b.rows - k);
    for (std::int64_t column = 0; column < b.columns; column += group_columns) {
      const std::int64_t columns = std::min(group_columns, b.columns - column);
      const Strips strips(b.row_range(k, depth).column_range(column, columns), a.rows);
      for (std::int64_t row = 0; row < a.rows; row += panel_rows) {
        const MatrixView rows = a.row_range(row, std::min(panel_rows, a.rows - row)).column_range(k, depth);
        avx2::Work work{};
        work.c = c + row * c_row_stride + column;
        work.c_row = c_row_stride;
        work.depth = depth;
        work.is_first = k == 0 && !end.accumulate;
        work.is_last = k + depth_block >= b.rows;
        work.end = end;
        work.end.column_bias = bias_from(end.column_bias, column);
        work.end.row_bias = bias_from(end.row_bias, row);
        multiply(copy_panel(rows, columns), strips, columns, ahead.data == nullptr ? ahead : ahead.from(row, k), work);
      }
    }
  }
}

void avx2_pack_transposed(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors) {
  const std::int64_t written = fills_vectors ? whole_vectors(matrix.columns) : matrix.columns;
  for (std::int64_t c = 0; c < written; c += lanes) {
    for (std::int64_t k = 0; k < matrix.rows; k += lanes) {
      avx2::transpose_block(matrix.data + c * matrix.column_stride + k, matrix.column_stride, matrix.columns - c,
                            matrix.rows - k, out + k * out_row_stride + c, out_row_stride, written - c);
    }
  }
}

#else

void avx2_gemm(const MatrixView&, const MatrixView&, float*, std::int64_t, const Epilogue&, const PrefetchHint&) {
  throw Error("This processor has no matrix product of ours.", ExitStatus::machine_failed);
}

void avx2_pack_transposed(const MatrixView&, float*, std::int64_t, bool) {
  throw Error("This processor has no matrix product of ours.", ExitStatus::machine_failed);
}

#endif

}  // namespace moe
