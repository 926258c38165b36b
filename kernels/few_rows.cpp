#include "kernels/few_rows.h"

#include <algorithm>
#include <array>
#include <memory>
#include <new>

// Legend: N rows, D width, F hidden width; a product's operands are read as they lie, so forward, where both weights
// have the summed index innermost, works on transposed rows.

namespace moe {
namespace {

/// out[j, i] = in[i, j]; both by blocks that stay in the first cache.
void transpose(const float* in, std::int64_t rows, std::int64_t columns, std::int64_t in_row, float* out,
               std::int64_t out_row) {
  constexpr std::int64_t block = 16;
  for (std::int64_t i0 = 0; i0 < rows; i0 += block) {
    const std::int64_t i1 = std::min(i0 + block, rows);
    for (std::int64_t j0 = 0; j0 < columns; j0 += block) {
      const std::int64_t j1 = std::min(j0 + block, columns);
      for (std::int64_t j = j0; j < j1; ++j) {
        for (std::int64_t i = i0; i < i1; ++i) out[j * out_row + i] = in[i * in_row + j];
      }
    }
  }
}

void sum_rows(const float* in, std::int64_t rows, std::int64_t columns, float* out) {
  std::fill_n(out, columns, 0.0F);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) out[j] += in[i * columns + j];
  }
}

/// Memory that a thread keeps from call to call, aligned to cache lines.
class Room {
 public:
  float* take(std::int64_t floats) {
    if (floats > size_) {
      memory_.reset(static_cast<float*>(::operator new(static_cast<std::size_t>(floats) * sizeof(float), line)));
      size_ = floats;
    }
    return memory_.get();
  }

 private:
  static constexpr std::align_val_t line{64};
  struct Free {
    void operator()(float* memory) const { ::operator delete(memory, line); }
  };
  std::unique_ptr<float[], Free> memory_;
  std::int64_t size_ = 0;
};

}  // namespace

void few_rows_forward(const FewRows& expert, const float* b1, const float* b2, float* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  const std::int64_t lanes = (N + small_product_lanes - 1) / small_product_lanes * small_product_lanes;
  thread_local Room room;
  float* x_DN = room.take(lanes * (2 * D + F));
  float* hidden_FN = x_DN + lanes * D;
  float* y_DN = hidden_FN + lanes * F;
  for (std::int64_t j = 0; j < D; ++j) std::fill_n(x_DN + j * lanes + N, lanes - N, 0.0F);
  transpose(expert.x, N, D, D, x_DN, lanes);
  small_product(row_major(expert.w1, F, D), row_major(x_DN, D, lanes), hidden_FN, {.row_bias = b1, .relu = true});
  small_product(row_major(expert.w2, D, F), row_major(hidden_FN, F, lanes), y_DN, {.row_bias = b2});
  transpose(y_DN, D, N, lanes, y, D);
  if (expert.hidden != nullptr) transpose(hidden_FN, F, N, lanes, expert.hidden, F);
}

void few_rows_backward(const FewRows& expert, const float* grad_y, const FewRowsGradients& gradients) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  const MatrixView grad_y_ND = row_major(grad_y, N, D), grad_hidden_NF = row_major(gradients.hidden, N, F);
  sum_rows(grad_y, N, D, gradients.b2);
  small_product(grad_y_ND.transposed(), row_major(expert.hidden, N, F), gradients.w2);
  small_product(grad_y_ND, row_major(expert.w2, D, F), gradients.hidden);
  for (std::int64_t i = 0; i < N * F; ++i) {
    if (expert.hidden[i] <= 0) gradients.hidden[i] = 0;
  }
  sum_rows(gradients.hidden, N, F, gradients.b1);
  small_product(grad_hidden_NF.transposed(), row_major(expert.x, N, D), gradients.w1);
  small_product(grad_hidden_NF, row_major(expert.w1, F, D), gradients.x);
}

}  // namespace moe
