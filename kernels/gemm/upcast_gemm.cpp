#include "kernels/gemm/upcast_gemm.h"

#include "core/error.h"
#include "kernels/gemm/amx_gemm.h"
#include "kernels/gemm/gemm.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/workspace.h"

#include <algorithm>

// A panel of a and strips of b are copied as float32, block by block of the summed index, into the second cache. Where
// b is a single strip, it is copied once, and panels are short enough for the first.

namespace moe {
namespace {

constexpr std::int64_t depth_block = 256;
constexpr std::int64_t panel_rows = 576;            ///< that meet a strip of b which is copied once
constexpr std::int64_t short_panel_rows = 12;       ///< where there is one strip
constexpr std::int64_t transposed_panel_rows = 96;  ///< rows side by side, as the float32 product reads them in place

/// As float32, in the same order: rows or columns side by side.
MatrixView widen(const Bf16View& matrix, float* out) {
  if (matrix.column_stride != 1) return widen(matrix.transposed(), out).transposed();
  widen_rows(matrix.data, matrix.row_stride, matrix.rows, matrix.columns, out);
  return row_major(out, matrix.rows, matrix.columns);
}

/// As float32 with its rows in place for the product.
MatrixView widen_strip(const Bf16View& strip, float* out, Workspace& transposed_workspace) {
  const MatrixView wide = widen(strip, out);
  if (wide.column_stride == 1) return wide;
  const std::int64_t stride = whole_vectors(wide.columns);
  float* rows = transposed_workspace.reserve(wide.rows * stride);
  pack_transposed(wide, rows, stride);
  return {rows, wide.rows, wide.columns, stride};
}

const float* widen_bias(const c10::BFloat16* bias, std::int64_t count, Workspace& workspace) {
  if (bias == nullptr) return nullptr;
  float* copy = workspace.reserve(count);
  widen_row(bias, count, copy);
  return copy;
}

}  // namespace

bool prefers_upcast_gemm() {
  static const bool prefers = has_avx2() && !has_amx_bf16() && !(has_avx512_bf16() && runs_on_amd());
  return prefers;
}

void upcast_gemm(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, std::int64_t c_row_stride,
                 const Bf16Epilogue& end) {
  MOE_CHECK(are_operands(a, b), "A product of [{}, {}] and [{}, {}] with strides [{}, {}] and [{}, {}].", a.rows,
            a.columns, b.rows, b.columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride);
  thread_local Workspace a_workspace, b_workspace, transposed_workspace, sum_workspace, row_bias_workspace,
      column_bias_workspace;
  const float* row_bias = widen_bias(end.row_bias, a.rows, row_bias_workspace);
  const float* column_bias = widen_bias(end.column_bias, b.columns, column_bias_workspace);
  const bool is_one_strip = b.columns <= gemm_columns;
  const MatrixView strip =
      is_one_strip ? widen_strip(b, b_workspace.reserve(b.rows * gemm_columns), transposed_workspace) : MatrixView();
  const std::int64_t row_major_panel = is_one_strip ? short_panel_rows : panel_rows;
  const std::int64_t panel = a.column_stride == 1 ? row_major_panel : transposed_panel_rows;
  // Sums of one strip are narrowed at once, those of many blocks wait for the last.
  const bool is_one_block = b.rows <= depth_block;
  const std::int64_t sum_columns = is_one_block && !is_one_strip ? gemm_columns : b.columns;
  float* sums = sum_workspace.reserve(panel * sum_columns);
  const auto narrow = end.stream ? stream_narrow_rows : narrow_rows;
  for (std::int64_t row = 0; row < a.rows; row += panel) {
    const Bf16View rows = a.row_range(row, std::min(panel, a.rows - row));
    for (std::int64_t k = 0; k == 0 || k < b.rows; k += depth_block) {
      const std::int64_t depth = std::min(depth_block, b.rows - k);
      const bool is_first = k == 0, is_last = k + depth_block >= b.rows;
      const MatrixView a_block = widen(rows.column_range(k, depth), a_workspace.reserve(panel * depth_block));
      // Where there is one strip, the next panel comes from memory while this one is multiplied.
      const PrefetchHint ahead = is_one_strip && a.column_stride == 1
                                     ? PrefetchHint::of(rows.data + panel * a.row_stride + k, a.row_stride)
                                     : PrefetchHint();
      for (std::int64_t column = 0; column < b.columns; column += gemm_columns) {
        const std::int64_t columns = std::min(gemm_columns, b.columns - column);
        const MatrixView b_block = is_one_strip ? strip.row_range(k, depth)
                                                : widen(b.row_range(k, depth).column_range(column, columns),
                                                        b_workspace.reserve(depth_block * gemm_columns));
        float* sum = is_one_block ? sums : sums + column;
        gemm(a_block, b_block, sum, sum_columns,
             {.column_bias = is_first ? bias_from(column_bias, column) : nullptr,
              .relu = is_last && end.relu,
              .row_bias = is_first ? bias_from(row_bias, row) : nullptr,
              .accumulate = !is_first},
             ahead);
        if (is_last) narrow(sum, sum_columns, rows.rows, columns, c + row * c_row_stride + column, c_row_stride);
      }
    }
  }
}

}  // namespace moe
