#pragma once
// Slots: how many tokens an expert takes from a group, and which of those that want more get them.
//
// Legend: T tokens (rows of a call, padding included), K choices per token, E experts, C slots of an expert in a group.

#include "core/config.h"
#include "core/random.h"
#include "routers/tokens.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Options of every token-choice router: how many slots an expert has in a group.
struct CapacityOptions {
  std::optional<double> capacity_factor;  ///< cf of C = max(minimum, ceil(cf * K * S / E)); none: no limit
  std::optional<std::int64_t> capacity;   ///< slots outright; overrides the factor and holds in both phases
  std::int64_t minimum_capacity = 0;
  std::optional<double> evaluation_capacity_factor;  ///< cf at evaluation; none: no limit
  std::string group = "batch";    ///< batch | sentence: which tokens compete, also for the balance loss
  std::string fill = "position";  ///< who gets a slot when there are too few

  void visit(FieldVisitor& visitor);
};

/// Slots of one expert in a group with `valid_tokens` real tokens (padding takes no part), or none for no limit.
/// C = max(minimum, ceil(cf * choices * valid_tokens / experts)), at most `valid_tokens` (routers.md 0.16).
std::optional<std::int64_t> capacity_of(const CapacityOptions& options, Phase phase, std::int64_t choices,
                                        std::int64_t valid_tokens, std::int64_t experts);

/// Index of each token's group, 0 .. count - 1: all zero for `batch`, the row of the batch for `sentence`.
struct Groups {
  std::vector<std::int64_t> of_token;      ///< [T]
  std::vector<std::int64_t> valid_tokens;  ///< [count]
};
Groups make_groups(const std::string& group, const Tokens& tokens);

/// What orders other than `position` go by.
struct FillKeys {
  torch::Tensor score_TK;              ///< probability of each choice, for `bpr` and `per_expert_prob`
  std::optional<RandomStream> stream;  ///< for `random`: the parent of a draw for each choice
};

/// Gives slots to choices in the order of `options.fill`; a choice is kept iff fewer than C earlier choices of its
/// group named the same expert (routers.md 0.7 and 3).
///   position         all first choices in token order, then all second choices, and so on
///   bpr              the same, tokens by falling probability of their first choice (batch priority, Riquelme et al.
///   2021) per_expert_prob  all choices by falling probability: each expert keeps its best random           all choices
///   in random order: each expert keeps a uniform sample
/// Equal scores stay in the order of `position`. `expert_TK`: int64 on the CPU, -1 where there is no choice (padding, a
/// skipped second choice). Returns bool [T, K] on the CPU: which choices are kept.
torch::Tensor fill_slots(const torch::Tensor& expert_TK, std::int64_t experts, const CapacityOptions& options,
                         const Tokens& tokens, const FillKeys& keys = {});

/// The fifth order, `ntlb` (no token left behind, Fedus et al. 2021), for one choice a token: tokens without a slot are
/// offered their next best expert, in token order.
struct NextBest {
  torch::Tensor expert_T1;  ///< int64 on the CPU: the expert used, or the first candidate when none had a slot
  torch::Tensor kept_T1;    ///< bool on the CPU
};
/// `candidate_TR`: int64 on the CPU, the R best experts of each token, best first; -1 for padding.
NextBest fill_next_best(const torch::Tensor& candidate_TR, std::int64_t experts, const CapacityOptions& options,
                        const Tokens& tokens);

}  // namespace moe
