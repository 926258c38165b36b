#pragma once
// The load balancing loss, by our definition and by those of other projects (routers.md, 0.9).
//
// Legend: T tokens, E experts, K choices per token, V valid tokens of a group, S its positions, padding included.

#include "core/config.h"
#include "routers/plan.h"
#include "routers/tokens.h"

#include <torch/types.h>

#include <string>
#include <vector>

namespace moe {

struct BalanceOptions {
  std::string rule = "norm";   ///< whose definition
  std::string counts = "all";  ///< all | first: which choices f counts

  void visit(FieldVisitor& visitor);
};

/// The choices of a call.
struct BalanceInput {
  torch::Tensor probability_TE;  ///< of every row, with gradient
  torch::Tensor expert_TK;       ///< int64 on the CPU: choices before capacity; -1 for padding and skipped choices
  torch::Tensor kept_TK;         ///< bool on the CPU: which found a slot; undefined: all
  torch::Tensor weight_TE = {};  ///< of each expert's output, with gradient; rule hf_nllb alone needs it
};

/// f and P of each group. f counts choices before capacity, divided by K * V; P is the mean probability of valid
/// tokens. Other rules count kept choices, padding or first choices alone, or divide by S; padding stands in f with the
/// best choices of its own.
LoadBalance load_balance(const BalanceInput& input, const BalanceOptions& options, const std::string& group,
                         const Tokens& tokens);

/// E * sum_e f_e * P_e per group, averaged over groups with valid tokens: 1 when f or P is uniform, 0 without valid
/// tokens.
torch::Tensor load_balancing_loss(const LoadBalance& balance);

/// One loss over the layers of a stack, which have the same groups and experts.
/// - concatenated: as if all layers were one, seeing all their tokens (transformers' Switch): opposite imbalances
/// cancel
/// - stacked_experts: as if each layer's experts were others, but with choices that all name the first layer's
///   (transformers' NLLB-MoE before version 5): L E sum_e mean f_e * P_e of the first layer
torch::Tensor pooled_balance_loss(const std::vector<LoadBalance>& layers, const std::string& rule);

}  // namespace moe
