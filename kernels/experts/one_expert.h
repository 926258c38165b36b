#pragma once
// A feed-forward expert in the calling thread: with several experts, a thread each needs no shared copy of operands.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// One expert, its rows and what is computed from them: contiguous matrices on the CPU, of float or c10::BFloat16. D
/// width, F hidden width.
template <class Scalar>
struct OneExpert {
  std::int64_t rows = 0, width = 0, hidden_width = 0;
  const Scalar* x = nullptr;   ///< [rows, D]
  const Scalar* w1 = nullptr;  ///< [F, D]
  const Scalar* w2 = nullptr;  ///< [D, F]
  Scalar* hidden = nullptr;    ///< [rows, F], after the relu; null where they are not kept
};

/// y = relu(x w1^T + b1) w2^T + b2, in the calling thread. y: [rows, D].
template <class Scalar>
void one_expert_forward(const OneExpert<Scalar>& expert, const Scalar* b1, const Scalar* b2, Scalar* y);

template <class Scalar>
struct OneExpertGradients {
  Scalar* x = nullptr;       ///< [rows, D]
  Scalar* w1 = nullptr;      ///< [F, D]
  Scalar* b1 = nullptr;      ///< [F]
  Scalar* w2 = nullptr;      ///< [D, F]
  Scalar* b2 = nullptr;      ///< [D]
  Scalar* hidden = nullptr;  ///< [rows, F], written: gradients of the hidden states
};

/// The gradients from grad_y, [rows, D], and the hidden states of the forward pass. In the calling thread.
template <class Scalar>
void one_expert_backward(const OneExpert<Scalar>& expert, const Scalar* grad_y,
                         const OneExpertGradients<Scalar>& gradients);

}  // namespace moe
