#pragma once
// What happens to the rows of an MoE layer before and after the products: each in one pass over memory.

#include <torch/types.h>

namespace moe {

/// out[t] = sum over the assignments m of row t, in their order, of weight[m] * y[m]; 0 for a row without an
/// assignment. y_MD: [M, D]; token_M: int64 [M]; weight_M: [M], or undefined for weight 1; `rows`: T. float32, float64
/// or bfloat16, added in float32 or better.
torch::Tensor unpermute_rows(const torch::Tensor& y_MD, const torch::Tensor& token_M, const torch::Tensor& weight_M,
                             std::int64_t rows);

/// The way back of unpermute_rows.
struct UnpermuteGradients {
  torch::Tensor y_MD;
  torch::Tensor weight_M;  ///< undefined unless y was given
};

/// From grad_TD, the gradient of unpermute_rows' result. y_MD: undefined when the weights need no gradient.
UnpermuteGradients unpermute_rows_backward(const torch::Tensor& grad_TD, const torch::Tensor& token_M,
                                           const torch::Tensor& weight_M, const torch::Tensor& y_MD);

/// out[m] = x[token[m]], of rows of float or c10::BFloat16; on the CPU, as is the next.
template <class Scalar>
void permute_rows(const Scalar* x, const std::int64_t* token, std::int64_t assignments, std::int64_t columns,
                  Scalar* out);

/// out[token[m]] = weight[m] * y[m], or without the weight where it is null. No row has two assignments.
template <class Scalar>
void scatter_rows(const Scalar* y, const Scalar* weight, const std::int64_t* token, std::int64_t assignments,
                  std::int64_t columns, Scalar* out);

/// Sets grad_MF to 0 where hidden_MF, a result of relu, is 0, and grad_bias_F to the sum of its rows. All contiguous.
void relu_backward_(torch::Tensor& grad_MF, const torch::Tensor& hidden_MF, torch::Tensor& grad_bias_F);

/// The same for rows [rows, columns] of float or c10::BFloat16, in the calling thread.
template <class Scalar>
void relu_backward_rows(Scalar* grad, const Scalar* hidden, std::int64_t rows, std::int64_t columns, Scalar* grad_bias);

/// out = the sum of the rows [rows, columns], added in float32, in the calling thread.
template <class Scalar>
void sum_rows(const Scalar* in, std::int64_t rows, std::int64_t columns, Scalar* out);

}  // namespace moe
