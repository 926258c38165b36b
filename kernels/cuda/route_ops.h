#pragma once
// Routing steps on a GPU whose results routers read on the host (routers/gating.h, routers/plan.h).

#include <torch/types.h>

#include <cstdint>

// Legend: T tokens, E experts, K choices a token, M kept choices.

namespace moe::cuda {

/// The K best experts of each token by score, int64 [T, K] on the device of score_TE (float32, contiguous): higher
/// score first, ties to the lower index; -1 where valid_T, bool on the host, is false.
torch::Tensor best_experts(const torch::Tensor& score_TE, const torch::Tensor& valid_T, std::int64_t choices);

/// Of each kept choice, its row and its index in [T, K]; sorted by expert, then by index. int64 on the device.
struct SortedChoices {
  torch::Tensor token_M, source_M;
};
/// expert_TK: int64 on the host, -1 for a choice that is not kept; `kept`: M. The host does not wait.
SortedChoices sort_choices(const torch::Tensor& expert_TK, std::int64_t experts, std::int64_t kept,
                           torch::Device device);

}  // namespace moe::cuda
