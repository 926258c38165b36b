#include "kernels/gemm/amx_gemm.h"

#include "core/error.h"
#include "kernels/gemm/amx_tiles.h"
#include "kernels/simd/workspace.h"

#include <algorithm>

// Of a and b as many rows and columns are copied as stay in the second cache, so that what comes from memory is read in
// its order, and written in rows of some length. A summed index too long for rows and columns enough to stay there is
// summed part by part, all sums being kept meanwhile.

namespace moe {

#ifdef MOE_HAS_AMX_CODE
namespace amx {
namespace {

constexpr std::int64_t depth_steps = 8;                      ///< of a square's operands that stay in the first cache
constexpr std::int64_t panel_pairs = std::int64_t{1} << 17;  ///< of an operand that stay in the second one
constexpr std::int64_t part_steps = 32;          ///< most that are multiplied by all rows and columns at once
constexpr std::int64_t group_sides = 8;          ///< most columns that are copied at once, in sides
constexpr std::int64_t most_place_stride = 512;  ///< from row to row of a whose tiles meet in the first cache
constexpr std::int64_t square_sums = side * side;
constexpr std::int64_t most_kept_squares = 256;  ///< whose sums stay in the second cache

/// Where the sums are, in squares of 32 by 32: those of all of c, or of so much of it as is summed at a time, used
/// again and again.
struct Squares {
  float* sums = nullptr;
  std::int64_t row = 0, column = 0;      ///< from a square to that below it, and to that beside it; 0: the same one
  bool is_first = true, is_last = true;  ///< part of the summed index

  float* at(std::int64_t r, std::int64_t c) const { return sums + r / side * row + c / side * column; }
};

/// A number of rows of a, and of columns of b, that are multiplied while their copies are near.
struct Panel {
  Bf16View a;  ///< in place, if its tiles are whole and meet few columns; otherwise copied to `rows`
  bool in_place = false;
  const std::uint32_t* rows = nullptr;
  const std::uint32_t* strips = nullptr;
  std::int64_t steps = 0, columns = 0;

  RowTiles tiles(std::int64_t row, bool are_met_first) const {
    return in_place ? RowTiles::in_place(a, row, are_met_first) : RowTiles::copied(rows + row * steps * lanes);
  }
};

/// c = end(a b), or a part of its sums.
template <class Scalar>
MOE_AMX void multiply_panel(const Panel& panel, const Squares& squares, const Bf16Epilogue& end, Scalar* c,
                            std::int64_t c_row) {
  const auto& [a, in_place, rows, strips, steps, columns] = panel;
  for (std::int64_t row = 0; row < a.rows; row += side) {
    for (std::int64_t k = 0; k < steps; k += depth_steps) {
      const std::int64_t depth = std::min(depth_steps, steps - k);
      for (std::int64_t column = 0; column < columns; column += side) {
        float* square = squares.at(row, column);
        sum_square({{panel.tiles(row, column == 0).from_step(k),
                     strips + column / side * strip_pairs(steps) + k * step_pairs}},
                   depth, squares.is_first && k == 0, square);
        if (!squares.is_last || k + depth < steps) continue;
        const Bf16Epilogue square_end{bias_from(end.column_bias, column), end.relu, end.stream,
                                      bias_from(end.row_bias, row)};
        store_square(square, std::min(side, a.rows - row), std::min(side, columns - column), square_end,
                     c + row * c_row + column, c_row);
      }
    }
  }
}

/// c = end(a b), or a part of its sums.
template <class Scalar>
MOE_AMX void multiply_part(const Bf16View& a, const Bf16View& b, const Squares& squares, const Bf16Epilogue& end,
                           Scalar* c, std::int64_t c_row) {
  thread_local Workspace a_workspace, b_workspace;
  const bool has_whole_tiles = a.rows % side == 0 && a.columns % side == 0 && a.columns > 0;
  const bool meets_few = b.columns <= side || (b.columns <= 4 * side && a.row_stride <= most_place_stride);
  const bool in_place = a.column_stride == 1 && has_whole_tiles && meets_few;
  const std::int64_t steps = sides(b.rows);
  const std::int64_t most_sides = std::max(panel_pairs / (steps * step_pairs), std::int64_t{1});
  const std::int64_t most_rows = std::min(most_sides, sides(a.rows)) * side;
  const std::int64_t most_columns = std::min({most_sides, group_sides, sides(b.columns)}) * side;
  auto* rows = reinterpret_cast<std::uint32_t*>(a_workspace.reserve(in_place ? 0 : most_rows * steps * lanes));
  auto* strips = reinterpret_cast<std::uint32_t*>(b_workspace.reserve(most_columns / side * strip_pairs(steps)));
  for (std::int64_t row = 0; row < a.rows; row += most_rows) {
    const Bf16View some_rows = a.row_range(row, std::min(most_rows, a.rows - row));
    if (!in_place) copy_rows(some_rows, steps, rows);
    for (std::int64_t column = 0; column < b.columns; column += most_columns) {
      const std::int64_t columns = std::min(most_columns, b.columns - column);
      const bool are_copied = row > 0 && b.columns <= most_columns;
      if (!are_copied) copy_columns(b.column_range(column, columns), steps, strips);
      Squares panel_squares = squares;
      if (squares.row != 0) panel_squares.sums = squares.at(row, column);
      multiply_panel({some_rows, in_place, rows, strips, steps, columns}, panel_squares,
                     {bias_from(end.column_bias, column), end.relu, end.stream, bias_from(end.row_bias, row)},
                     c + row * c_row + column, c_row);
    }
  }
}

template <class Scalar>
MOE_AMX void multiply(const Bf16View& a, const Bf16View& b, Scalar* c, std::int64_t c_row, const Bf16Epilogue& end) {
  thread_local Workspace workspace;
  constexpr std::int64_t part = part_steps * side;
  const bool has_parts = b.rows > part;
  const std::int64_t row_squares = sides(b.columns);
  const std::int64_t most_rows = has_parts ? std::max(most_kept_squares / row_squares, std::int64_t{1}) * side : a.rows;
  Squares squares;
  if (b.rows > depth_steps * side) squares.column = square_sums;
  if (has_parts) squares.row = row_squares * square_sums;
  const std::int64_t kept =
      has_parts ? std::min(sides(a.rows), most_rows / side) * row_squares : std::min(group_sides, row_squares);
  squares.sums = workspace.reserve(kept * square_sums);
  const TileScope tiles;
  for (std::int64_t row = 0; row < a.rows; row += most_rows) {
    const Bf16View rows = a.row_range(row, std::min(most_rows, a.rows - row));
    const Bf16Epilogue rows_end{end.column_bias, end.relu, end.stream, bias_from(end.row_bias, row)};
    for (std::int64_t k = 0; k == 0 || k < b.rows; k += part) {
      const std::int64_t depth = std::min(part, b.rows - k);
      squares.is_first = k == 0;
      squares.is_last = k + part >= b.rows;
      multiply_part(rows.column_range(k, depth), b.row_range(k, depth), squares, rows_end, c + row * c_row, c_row);
    }
  }
}

}  // namespace
}  // namespace amx

void amx_gemm(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, std::int64_t c_row_stride,
              const Bf16Epilogue& end) {
  check_operands(a, b, /*reads_a_in_pairs=*/false);
  amx::multiply(a, b, c, c_row_stride, end);
}

void amx_gemm(const Bf16View& a, const Bf16View& b, float* c, std::int64_t c_row_stride) {
  check_operands(a, b, /*reads_a_in_pairs=*/false);
  amx::multiply(a, b, c, c_row_stride, {});
}

#else

void amx_gemm(const Bf16View&, const Bf16View&, c10::BFloat16*, std::int64_t, const Bf16Epilogue&) {
  throw Error("This processor has no tile registers.", ExitStatus::machine_failed);
}

void amx_gemm(const Bf16View&, const Bf16View&, float*, std::int64_t) {
  throw Error("This processor has no tile registers.", ExitStatus::machine_failed);
}

#endif

}  // namespace moe
