#include "kernels/gemm/gemm.h"

#include "core/error.h"
#include "kernels/gemm/micro_kernel.h"
#include "kernels/gemm/pack.h"
#include "kernels/gemm/select.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/store_rows.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <c10/util/ScopeExit.h>

#include <algorithm>
#include <bit>
#include <type_traits>

// c is computed group by group of columns, each group in blocks of K, rows and columns. An operand whose
// block has one of the micro-kernel's sizes is read where it lies, others are packed and padded. Sums are added up in c
// itself, or in a workspace where c is of another type, a block is padded, or c is written past the caches.

namespace moe {
namespace {

using c10::BFloat16;

constexpr std::int64_t k_block = 256;                   ///< of K
constexpr std::int64_t group_columns = 512;             ///< of b, whose packed blocks stay in the second cache
constexpr std::int64_t most_columns = 256;              ///< of b, read in place, for the micro-kernel at once
constexpr std::int64_t group_rows = 512;                ///< of a, whose sums stay in the second cache
constexpr std::int64_t block_rows = 64;                 ///< of a, packed at once
constexpr std::int64_t fewest_interleaved_rows = 64;    ///< of a, read in place, for the micro-kernel at once
constexpr std::int64_t fewest_rows_to_pack_for = 128;   ///< of a, that pay for a copy of such a b
constexpr std::int64_t stride_padding = vector_floats;  ///< keeps rows of a workspace from mapping to the same sets
constexpr std::int64_t sum_stride = group_columns + stride_padding;
static_assert(group_columns % gemm_columns == 0);

/// Elements in a page of memory. Rows of b that far apart map to the same few cache sets.
template <class Scalar>
constexpr auto page = static_cast<std::int64_t>(4096 / sizeof(Scalar));

template <class Number, class Operand, class Out>
class Multiplication {
 public:
  Multiplication(const BasicMatrixView<Operand>& a, const BasicMatrixView<Operand>& b, Out* c, std::int64_t c_row,
                 const Epilogue<Out>& epilogue, const BlockMultiples& at_least)
      : a_(a), b_(b), c_(c), c_row_(c_row), epilogue_(epilogue) {
    const BlockMultiples& best = products_of(c10::CppTypeToScalarType<Number>::value).multiples;
    multiples_ = {std::max(best.rows, at_least.rows), std::max(best.depth, at_least.depth)};
  }

  void run() {
    thread_local Workspace a_workspace, b_workspace, sum_workspace, bias_workspace;
    a_packed_ = a_workspace.reserve<Number>(block_rows * (k_block + stride_padding));
    b_packed_ = b_workspace.reserve<Number>(k_block * group_columns);
    sums_ = sum_workspace.reserve(std::min(group_rows, padded_rows(a_.rows)) * sum_stride);
    widen_bias(bias_workspace);
    const auto release_at_end = c10::make_scope_exit(release_blocks<Number>);
    for (row_ = 0; row_ < a_.rows; row_ += group_rows) {
      for (column_ = 0; column_ < b_.columns; column_ += group_columns) multiply_group();
    }
  }

 private:
  static constexpr bool reads_floats = std::is_same_v<Operand, float>;

  /// Rows of a block with their padding.
  std::int64_t padded_rows(std::int64_t rows) const { return round_up(rows, multiples_.rows); }
  /// K of a block with its padding, of long ones up to a sixteenth. Of none it is all padding, and sums are 0.
  std::int64_t padded_depth(std::int64_t depth) const {
    const auto sixteenth = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(depth)) / 16);
    return round_up(std::max<std::int64_t>(depth, 1), std::max(multiples_.depth, sixteenth));
  }

  void widen_bias(Workspace& workspace) {
    if constexpr (std::is_same_v<Out, float>) {
      column_bias_ = epilogue_.column_bias;
    } else if (epilogue_.column_bias != nullptr) {
      float* wide = workspace.reserve(b_.columns);
      widen_row(epilogue_.column_bias, b_.columns, wide);
      column_bias_ = wide;
    }
  }

  /// Rows from row_ and columns from column_ on.
  void multiply_group() {
    const std::int64_t rows = std::min(group_rows, a_.rows - row_);
    const std::int64_t columns = std::min(group_columns, b_.columns - column_);
    for (std::int64_t k = 0; k == 0 || k < b_.rows; k += k_block) {
      const std::int64_t depth = std::min(k_block, b_.rows - k);
      is_first_ = k == 0;
      is_last_ = k + k_block >= b_.rows;
      const auto b = b_.row_range(k, depth).column_range(column_, columns);
      pack_group(b);
      const auto a = a_.row_range(row_, rows).column_range(k, depth);
      for (std::int64_t row = 0; row < rows;) {
        const auto block = a.row_range(row, rows_of_block(a, rows - row));
        row_step_ = interleave(block);
        for (std::int64_t i = 0; i < row_step_; ++i) multiply_rows(block.every_row(i, row_step_), b, row + i);
        row += block.rows;
      }
    }
  }

  /// Rows of an expanded matrix all lie at one place, which the micro-kernel refuses.
  static bool lies_in_rows(const BasicMatrixView<Operand>& matrix) {
    return matrix.column_stride == 1 && matrix.row_stride >= matrix.columns;
  }
  bool is_whole(std::int64_t depth) const { return depth == padded_depth(depth); }

  /// Whether rows of a are read where they lie.
  bool reads_a_in_place(const BasicMatrixView<Operand>& a) const {
    return std::is_same_v<Number, Operand> && lies_in_rows(a) && is_whole(a.columns) && a.rows == padded_rows(a.rows);
  }
  /// What is left over behind whole blocks is one smaller block.
  std::int64_t rows_of_block(const BasicMatrixView<Operand>& a, std::int64_t rows) const {
    const std::int64_t whole = rows / block_rows * block_rows;
    if (whole == 0) return rows;
    return reads_a_in_place(a.row_range(0, block_rows)) ? whole : block_rows;
  }

  /// Every how many rows of such a block are multiplied at once: so many that they lie in different pages, because
  /// processors fetch ahead one row of a page. With weights that come from memory it is up to a third faster.
  std::int64_t interleave(const BasicMatrixView<Operand>& a) const {
    std::int64_t step = 1;
    if (a.row_stride >= page<Operand> || !reads_a_in_place(a)) return step;
    while (step * a.row_stride < 2 * page<Operand> && a.rows % (2 * step * fewest_interleaved_rows) == 0) step *= 2;
    return step;
  }

  /// Whether columns of b are read where they lie.
  bool reads_b_in_place(const BasicMatrixView<Operand>& b) const {
    if (!reads_floats || !lies_in_rows(b) || !is_whole(b.rows) || b.columns % vector_floats != 0) return false;
    return b.row_stride % page<Operand> != 0 || a_.rows < fewest_rows_to_pack_for;
  }
  void pack_group(const BasicMatrixView<Operand>& b) {
    if (reads_b_in_place(b)) return;
    const std::int64_t depth = padded_depth(b.rows);
    for (std::int64_t column = 0; column < b.columns; column += gemm_columns) {
      pack_columns(b.column_range(column, std::min(gemm_columns, b.columns - column)), depth, gemm_columns,
                   b_packed_ + column * depth);
    }
  }

  /// A block of rows, from `row` of the group on, with all columns of the group.
  void multiply_rows(const BasicMatrixView<Operand>& a, const BasicMatrixView<Operand>& b, std::int64_t row) {
    const std::int64_t depth = padded_depth(b.rows);
    const std::int64_t rows = padded_rows(a.rows);
    Block<Number> a_block{a_packed_, depth + stride_padding};
    if constexpr (std::is_same_v<Number, Operand>) {
      if (reads_a_in_place(a)) a_block = {a.data, a.row_stride};
    }
    if (a_block.data == a_packed_) pack_rows(a, rows, depth, a_block.stride, a_packed_);
    const bool in_place = reads_b_in_place(b);
    const std::int64_t step = in_place ? most_columns : gemm_columns;
    for (std::int64_t column = 0; column < b.columns; column += step) {
      const std::int64_t columns = std::min(step, b.columns - column);
      Block<Number> b_block{b_packed_ + column * depth, gemm_columns};
      if constexpr (reads_floats) {
        if (in_place) b_block = {b.data + column, b.row_stride};
      }
      const BlockSize size{rows, round_up(columns, vector_floats), depth};
      multiply_block(size, a_block, b_block, row, column, a.rows, columns);
    }
  }

  /// `rows` and `columns`: of the block without its padding.
  void multiply_block(const BlockSize& size, const Block<Number>& a, const Block<Number>& b, std::int64_t row,
                      std::int64_t column, std::int64_t rows, std::int64_t columns) {
    Out* c = c_ + (row_ + row) * c_row_ + column_ + column;
    // Where no sum has to wait for the next block of K, the same few lines of the cache serve for all.
    float* sums = sums_;
    std::int64_t stride = sum_stride;
    if (!is_first_ || !is_last_) {
      sums += row * sum_stride + column;
      stride *= row_step_;
    }
    if constexpr (std::is_same_v<Out, float>) {
      const bool is_filled = size.rows == rows && size.columns == columns;
      if (is_filled && !epilogue_.non_temporal) {
        sums = c;
        stride = c_row_ * row_step_;
      }
    }
    multiply_blocks(size, a, b, !is_first_, sums, stride);
    if (!is_last_) return;
    const float* column_bias = bias_from(column_bias_, column_ + column);
    if (column_bias != nullptr || epilogue_.row_bias != nullptr || epilogue_.relu) {
      for (std::int64_t r = 0; r < rows; ++r) {
        const Out* bias = bias_from(epilogue_.row_bias, row_ + row + r * row_step_);
        const float row_bias = bias == nullptr ? 0.0F : static_cast<float>(*bias);
        float* sum = sums + r * stride;
        apply_epilogue(sum, columns, column_bias, row_bias, epilogue_.relu, sum);
      }
    }
    if (static_cast<const void*>(sums) != c) {
      store_rows(sums, stride, rows, columns, c, c_row_ * row_step_, epilogue_.non_temporal);
    }
  }

  BasicMatrixView<Operand> a_, b_;
  Out* c_;
  std::int64_t c_row_;
  Epilogue<Out> epilogue_;
  BlockMultiples multiples_;
  const float* column_bias_ = nullptr;
  Number *a_packed_ = nullptr, *b_packed_ = nullptr;
  float* sums_ = nullptr;
  std::int64_t row_ = 0, column_ = 0;
  std::int64_t row_step_ = 1;  ///< between rows that are multiplied at once
  bool is_first_ = true, is_last_ = true;
};

}  // namespace

template <class Number, class Operand, class Out>
void gemm(const BasicMatrixView<Operand>& a, const BasicMatrixView<Operand>& b, Out* c, std::int64_t c_row_stride,
          const Epilogue<Out>& epilogue, const BlockMultiples& at_least) {
  MOE_CHECK(are_operands(a, b) && c_row_stride >= b.columns,
            "A product of [{}, {}] and [{}, {}] with strides [{}, {}] and [{}, {}], into rows of {}.", a.rows,
            a.columns, b.rows, b.columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride, c_row_stride);
  Multiplication<Number, Operand, Out>(a, b, c, c_row_stride, epilogue, at_least).run();
}

template void gemm<float>(const BasicMatrixView<float>&, const BasicMatrixView<float>&, float*, std::int64_t,
                          const Epilogue<float>&, const BlockMultiples&);
template void gemm<float>(const BasicMatrixView<BFloat16>&, const BasicMatrixView<BFloat16>&, BFloat16*, std::int64_t,
                          const Epilogue<BFloat16>&, const BlockMultiples&);
template void gemm<BFloat16>(const BasicMatrixView<BFloat16>&, const BasicMatrixView<BFloat16>&, BFloat16*,
                             std::int64_t, const Epilogue<BFloat16>&, const BlockMultiples&);
template void gemm<BFloat16>(const BasicMatrixView<BFloat16>&, const BasicMatrixView<BFloat16>&, float*, std::int64_t,
                             const Epilogue<float>&, const BlockMultiples&);

}  // namespace moe
