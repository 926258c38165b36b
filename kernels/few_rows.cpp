#include "kernels/few_rows.h"

#include "kernels/expert_rows.h"
#include "kernels/matrix_product.h"

#include <algorithm>
#include <array>

// Legend: N rows, D width, F hidden width.

namespace moe {
namespace {

void sum_rows(const float* in, std::int64_t rows, std::int64_t columns, float* out) {
  std::fill_n(out, columns, 0.0F);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) out[j] += in[i * columns + j];
  }
}

}  // namespace

void few_rows_forward(const FewRows& expert, const float* b1, const float* b2, float* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  matrix_product(row_major(expert.x, N, D), row_major(expert.w1, F, D).transposed(), expert.hidden, F,
                 {.column_bias = b1, .relu = true});
  matrix_product(row_major(expert.hidden, N, F), row_major(expert.w2, D, F).transposed(), y, D, {.column_bias = b2});
}

void few_rows_backward(const FewRows& expert, const float* grad_y, const FewRowsGradients& gradients) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  const MatrixView grad_y_ND = row_major(grad_y, N, D), grad_hidden_NF = row_major(gradients.hidden, N, F);
  sum_rows(grad_y, N, D, gradients.b2);
  matrix_product(grad_y_ND.transposed(), row_major(expert.hidden, N, F), gradients.w2, F, {.stream = true});
  matrix_product(grad_y_ND, row_major(expert.w2, D, F), gradients.hidden, F);
  relu_backward_rows(gradients.hidden, expert.hidden, N, F, gradients.b1);
  matrix_product(grad_hidden_NF.transposed(), row_major(expert.x, N, D), gradients.w1, D, {.stream = true});
  matrix_product(grad_hidden_NF, row_major(expert.w1, F, D), gradients.x, D);
}

}  // namespace moe
