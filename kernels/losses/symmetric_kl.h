#pragma once
// The consistency term of THOR (Zuo et al. 2022, section 3.2) and R-Drop (Liang et al. 2021).

#include <torch/types.h>

namespace moe {

/// Sum over rows of (KL(p || q) + KL(q || p)) / 2 = 1/2 sum_v (p_v - q_v)(log p_v - log q_v), with p and q the softmax
/// of the two sets of logits [N, V] (float32, float64, or bfloat16 computed in float32), gradient through both. Taken
/// from log probabilities, so it stays finite where a probability underflows.
torch::Tensor symmetric_kl(const torch::Tensor& first_NV, const torch::Tensor& second_NV);

}  // namespace moe
