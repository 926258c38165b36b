#pragma once
// A feed-forward expert in the calling thread, on the few rows that it gets when there are many experts.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// Whether the products below exist for matrices of this type and width on this processor: float32, or bfloat16 with
/// even widths.
bool has_few_rows(torch::Dtype type, std::int64_t width, std::int64_t hidden_width);

/// Up to how many rows they beat products that all threads share: at least 256.
std::int64_t most_few_rows(torch::Dtype type);

/// One expert, its rows and what is computed from them: contiguous matrices on the CPU, of float or c10::BFloat16. D
/// width, F hidden width.
template <class Scalar>
struct FewRows {
  std::int64_t rows = 0, width = 0, hidden_width = 0;
  const Scalar* x = nullptr;   ///< [rows, D]
  const Scalar* w1 = nullptr;  ///< [F, D]
  const Scalar* w2 = nullptr;  ///< [D, F]
  Scalar* hidden = nullptr;    ///< [rows, F], after the relu; null where they are not kept
};

/// y = relu(x w1^T + b1) w2^T + b2, in the calling thread. y: [rows, D].
template <class Scalar>
void few_rows_forward(const FewRows<Scalar>& expert, const Scalar* b1, const Scalar* b2, Scalar* y);

template <class Scalar>
struct FewRowsGradients {
  Scalar* x = nullptr;       ///< [rows, D]
  Scalar* w1 = nullptr;      ///< [F, D]
  Scalar* b1 = nullptr;      ///< [F]
  Scalar* w2 = nullptr;      ///< [D, F]
  Scalar* b2 = nullptr;      ///< [D]
  Scalar* hidden = nullptr;  ///< [rows, F]: room to work
};

/// The gradients from grad_y, [rows, D], and the hidden states of the forward pass. In the calling thread.
template <class Scalar>
void few_rows_backward(const FewRows<Scalar>& expert, const Scalar* grad_y, const FewRowsGradients<Scalar>& gradients);

}  // namespace moe
