#pragma once
// The load balancing loss, by our definition and by those of other projects (routers.md, 0.9).
//
// Legend: T tokens, E experts, K choices per token, V valid tokens of a group, S its positions, padding included.

#include "core/config.h"
#include "routers/capacity.h"
#include "routers/plan.h"
#include "routers/tokens.h"

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

struct BalanceOptions {
  std::string rule = "norm";   ///< whose definition
  std::string counts = "all";  ///< all | first: which choices f counts

  void visit(FieldVisitor& visitor);
};

/// A definition of the load balancing loss: where it leaves ours.
struct BalanceRule {
  enum class Dropped { counted, left_out, sent_to_expert_0 };
  enum class Padding { left_out, counted, sent_to_expert_0 };

  const char* name = "norm";
  std::int64_t first_only_up_to = 0;  ///< with so many choices or fewer, f counts first ones alone
  Dropped dropped = Dropped::counted;
  Padding padding_in_f = Padding::left_out;
  bool padding_in_P = false;
  bool padding_in_second_P = false;    ///< of a loss over second choices, P counts padding even where this one does not
  bool over_positions = false;         ///< f and P are divided by S, not V
  bool divided_by_choices = true;      ///< f is divided by K
  bool scaled_by_valid_share = false;  ///< the whole loss is multiplied by V / S
  bool weights_as_P = false;           ///< P is the mean combine weight, which is 0 for padding and dropped choices

  /// The definition that a loss over second choices alone goes by.
  BalanceRule of_second_choices() const;
};

/// What the options ask for: a row of the table of projects, with `balance_counts`.
BalanceRule balance_rule(const BalanceOptions& options);

/// The choices of a call.
struct BalanceInput {
  torch::Tensor probability_TE;  ///< of every row, with gradient
  torch::Tensor expert_TK;       ///< int64 on the CPU: choices before capacity; -1 for padding and skipped choices
  torch::Tensor kept_TK;         ///< bool on the CPU: which found a slot; undefined: all
  torch::Tensor weight_TE = {};  ///< of each expert's output, with gradient; needed where BalanceRule::weights_as_P
};

/// f and P of each group. f counts choices before capacity, divided by K * V; P is the mean probability of valid
/// tokens. Other rules count kept choices, padding or first choices alone, or divide by S; padding stands in f with the
/// best choices of its own.
LoadBalance load_balance(const BalanceInput& input, const BalanceRule& rule, Grouping group, const Tokens& tokens);

/// E * sum_e f_e * P_e per group, averaged over groups with valid tokens: 1 when f or P is uniform, 0 without valid
/// tokens.
torch::Tensor load_balancing_loss(const LoadBalance& balance);

/// How the layers of a stack make one loss.
enum class LayerPooling {
  concatenated,    ///< as if all were one layer, seeing all their tokens (transformers' Switch): opposite imbalances
                   ///< cancel
  stacked_experts  ///< as if each layer's experts were others, but with choices that all name the first layer's
                   ///< (transformers' NLLB-MoE before version 5): L E sum_e mean f_e * P_e of the first layer
};

/// One loss over the layers of a stack, which have the same groups and experts.
torch::Tensor pooled_balance_loss(const std::vector<LoadBalance>& layers, LayerPooling pooling);

}  // namespace moe
