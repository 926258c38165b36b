#pragma once
// A feed-forward expert on the few rows that it gets when there are many experts.

#include <cstdint>

namespace moe {

/// One expert, its rows and what is computed from them: contiguous float32 matrices on the CPU. D width, F hidden
/// width. Requires has_matrix_product().
struct FewRows {
  std::int64_t rows = 0, width = 0, hidden_width = 0;
  const float* x = nullptr;   ///< [rows, D]
  const float* w1 = nullptr;  ///< [F, D]
  const float* w2 = nullptr;  ///< [D, F]
  float* hidden = nullptr;    ///< [rows, F], after the relu
};

/// y = relu(x w1^T + b1) w2^T + b2, in the calling thread. y: [rows, D].
void few_rows_forward(const FewRows& expert, const float* b1, const float* b2, float* y);

struct FewRowsGradients {
  float* x = nullptr;       ///< [rows, D]
  float* w1 = nullptr;      ///< [F, D]
  float* b1 = nullptr;      ///< [F]
  float* w2 = nullptr;      ///< [D, F]
  float* b2 = nullptr;      ///< [D]
  float* hidden = nullptr;  ///< [rows, F]: room to work
};

/// The gradients from grad_y, [rows, D], and the hidden states of the forward pass. In the calling thread.
void few_rows_backward(const FewRows& expert, const float* grad_y, const FewRowsGradients& gradients);

}  // namespace moe
