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
  small_product({.rows = F,
                 .columns = lanes,
                 .depth = D,
                 .a = expert.w1,
                 .a_row = D,
                 .a_depth = 1,
                 .b = x_DN,
                 .b_depth = lanes,
                 .c = hidden_FN,
                 .c_row = lanes,
                 .bias = b1,
                 .relu = true});
  small_product({.rows = D,
                 .columns = lanes,
                 .depth = F,
                 .a = expert.w2,
                 .a_row = F,
                 .a_depth = 1,
                 .b = hidden_FN,
                 .b_depth = lanes,
                 .c = y_DN,
                 .c_row = lanes,
                 .bias = b2});
  transpose(y_DN, D, N, lanes, y, D);
  if (expert.hidden != nullptr) transpose(hidden_FN, F, N, lanes, expert.hidden, F);
}

void few_rows_backward(const FewRows& expert, const float* grad_y, const FewRowsGradients& gradients) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  sum_rows(grad_y, N, D, gradients.b2);
  small_product({.rows = D,
                 .columns = F,
                 .depth = N,
                 .a = grad_y,
                 .a_row = 1,
                 .a_depth = D,
                 .b = expert.hidden,
                 .b_depth = F,
                 .c = gradients.w2,
                 .c_row = F});
  small_product({.rows = N,
                 .columns = F,
                 .depth = D,
                 .a = grad_y,
                 .a_row = D,
                 .a_depth = 1,
                 .b = expert.w2,
                 .b_depth = F,
                 .c = gradients.hidden,
                 .c_row = F});
  for (std::int64_t i = 0; i < N * F; ++i) {
    if (expert.hidden[i] <= 0) gradients.hidden[i] = 0;
  }
  sum_rows(gradients.hidden, N, F, gradients.b1);
  small_product({.rows = F,
                 .columns = D,
                 .depth = N,
                 .a = gradients.hidden,
                 .a_row = 1,
                 .a_depth = F,
                 .b = expert.x,
                 .b_depth = D,
                 .c = gradients.w1,
                 .c_row = D});
  small_product({.rows = N,
                 .columns = D,
                 .depth = F,
                 .a = gradients.hidden,
                 .a_row = F,
                 .a_depth = 1,
                 .b = expert.w1,
                 .b_depth = D,
                 .c = gradients.x,
                 .c_row = D});
}

}  // namespace moe
