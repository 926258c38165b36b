#pragma once
// Slots: which of the tokens that want an expert get one of its slots.
//
// Legend: T tokens (rows of a call, padding included), K choices per token, E experts, C slots of an expert.

#include "core/random.h"
#include "routers/capacity.h"
#include "routers/tokens.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace moe {

/// Index of each token's group, 0 .. count - 1: all zero for `batch`, the row of the batch for `sentence`.
struct Groups {
  std::vector<std::int64_t> of_token;      ///< [T]
  std::vector<std::int64_t> valid_tokens;  ///< [count]
};
Groups make_groups(Grouping group, const Tokens& tokens);

/// What orders other than `position` go by.
struct FillKeys {
  torch::Tensor score_TK;              ///< probability of each choice, for `bpr` and `per_expert_prob`
  std::optional<RandomStream> stream;  ///< for `random`: the parent of a draw for each choice
};

/// Gives slots to choices in the order of `capacity.fill`; a choice is kept iff fewer than C earlier choices of its
/// group named the same expert (routers.md 0.7 and 3).
/// - position: all first choices in token order, then all second choices, and so on
/// - bpr: the same, tokens by falling probability of their first choice (batch priority, Riquelme et al. 2021)
/// - per_expert_prob: all choices by falling probability, so each expert keeps its best
/// - random: all choices in random order, so each expert keeps a uniform sample
/// Equal scores stay in the order of `position`. `expert_TK`: int64 on the CPU, -1 where there is no choice (padding, a
/// skipped second choice). Returns bool [T, K] on the CPU: which choices are kept.
torch::Tensor fill_slots(const torch::Tensor& expert_TK, std::int64_t experts, const Capacity& capacity,
                         const Tokens& tokens, const FillKeys& keys = {});

/// The fifth order, `ntlb` (no token left behind, Fedus et al. 2021), for one choice a token: tokens without a slot are
/// offered their next best expert, in token order.
struct NextBest {
  torch::Tensor expert_T1;  ///< int64 on the CPU: the expert used, or the first candidate when none had a slot
  torch::Tensor kept_T1;    ///< bool on the CPU
};
/// `candidate_TR`: int64 on the CPU, the R best experts of each token, best first; -1 for padding.
NextBest fill_next_best(const torch::Tensor& candidate_TR, std::int64_t experts, const Capacity& capacity,
                        const Tokens& tokens);

}  // namespace moe
