#pragma once
// The losses of one or two passes straight from their states: logits are made, and turned into their gradients, while a
// block of them is in the caches. One table of the passes' logits is kept at most, and written once.

#include <torch/types.h>

namespace moe {

struct FusedLinearLosses {
  torch::Tensor total;    ///< scalar with gradient: smoothed + consistency * divergence
  double smoothed = 0;    ///< label-smoothed cross entropy, sum over rows and passes
  double plain = 0;       ///< -log p(target), likewise
  double divergence = 0;  ///< symmetric KL of the two passes, sum over rows; 0 for one pass
};

/// cross_entropy (kernels/losses/cross_entropy.h) of the logits x w^T of each pass, and symmetric_kl
/// (kernels/losses/symmetric_kl.h) between those of two. state_PND: [P, N, D], one or two passes; weight_VD: [V, D];
/// both float32, float64 or bfloat16 (computed in float32); target_N: int64 [N].
FusedLinearLosses fused_linear_losses(const torch::Tensor& state_PND, const torch::Tensor& weight_VD,
                                      const torch::Tensor& target_N, double label_smoothing, double consistency);

}  // namespace moe
