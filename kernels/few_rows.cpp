#include "kernels/few_rows.h"

#include "kernels/matrix_product.h"
#include "kernels/room.h"

#include <algorithm>
#include <array>

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

}  // namespace

void few_rows_forward(const FewRows& expert, const float* b1, const float* b2, float* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  const std::int64_t stride = (N + product_lanes - 1) / product_lanes * product_lanes;
  thread_local Room room;
  float* x_DN = room.take(stride * (2 * D + F));
  float* hidden_FN = x_DN + stride * D;
  float* y_DN = hidden_FN + stride * F;
  transpose(expert.x, N, D, D, x_DN, stride);
  matrix_product(row_major(expert.w1, F, D), {x_DN, D, N, stride}, hidden_FN, stride, {.row_bias = b1, .relu = true});
  matrix_product(row_major(expert.w2, D, F), {hidden_FN, F, N, stride}, y_DN, stride, {.row_bias = b2});
  transpose(y_DN, D, N, stride, y, D);
  if (expert.hidden != nullptr) transpose(hidden_FN, F, N, stride, expert.hidden, F);
}

void few_rows_backward(const FewRows& expert, const float* grad_y, const FewRowsGradients& gradients) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  const MatrixView grad_y_ND = row_major(grad_y, N, D), grad_hidden_NF = row_major(gradients.hidden, N, F);
  sum_rows(grad_y, N, D, gradients.b2);
  matrix_product(grad_y_ND.transposed(), row_major(expert.hidden, N, F), gradients.w2, F);
  matrix_product(grad_y_ND, row_major(expert.w2, D, F), gradients.hidden, F);
  for (std::int64_t i = 0; i < N * F; ++i) {
    if (expert.hidden[i] <= 0) gradients.hidden[i] = 0;
  }
  sum_rows(gradients.hidden, N, F, gradients.b1);
  matrix_product(grad_hidden_NF.transposed(), row_major(expert.x, N, D), gradients.w1, D);
  matrix_product(grad_hidden_NF, row_major(expert.w1, F, D), gradients.x, D);
}

}  // namespace moe
