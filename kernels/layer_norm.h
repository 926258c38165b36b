#pragma once
// Layer normalisation where a residual stream branches off into a sublayer.

#include <torch/types.h>

namespace moe {

struct NormedBranch {
  torch::Tensor residual;  ///< the stream as it came
  torch::Tensor normed;    ///< what the sublayer reads
};

/// x [..., D] and its normed rows, (x - mean) / sqrt(variance + epsilon) * weight + bias (Ba et al. 2016, arXiv
/// 1607.06450), as `dtype`. Both results have gradients, which are added in the pass that goes back through the norm.
/// Weight and bias: [D], of x's type. Rows are summed in a fixed order, so gradients are the same for any number of
/// threads.
NormedBranch normed_branch(const torch::Tensor& x, const torch::Tensor& weight_D, const torch::Tensor& bias_D,
                           double epsilon, torch::Dtype dtype);

}  // namespace moe
