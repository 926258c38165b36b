#pragma once
// Label-smoothed cross entropy straight from logits, without a copy of the probabilities.

#include <torch/types.h>

namespace moe {

struct CrossEntropy {
  torch::Tensor smoothed;  ///< scalar, sum over rows, with gradient
  torch::Tensor plain;     ///< scalar, sum over rows of -log p(target), without gradient
};

/// Per row -(1 - eps) log p[target] - eps / (V - 1) * sum over the other ids of log p: the target gets 1 - eps in total
/// (fairseq since v1; LibTorch's own spreads eps over all V ids instead).
/// logit_NV: [N, V], float32, float64 or bfloat16 (computed in float32); target_N: int64 [N]. Rows are summed in order,
/// so the result is the same for any number of threads.
CrossEntropy cross_entropy(const torch::Tensor& logit_NV, const torch::Tensor& target_N, double label_smoothing);

}  // namespace moe
