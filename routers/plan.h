#pragma once
// The routing plan: a router's decision as a value.
//
// Legend: T tokens (rows of a call, padding included), K choices per token, E experts, M kept (token, expert) pairs.

#include "routers/tokens.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// What a load balancing loss is made of, for one pass through one gate and each of G groups of tokens.
struct LoadBalance {
  torch::Tensor share_GE;          ///< f: share of the choices that name each expert, without gradient
  torch::Tensor probability_GE;    ///< P: mean probability that the gate gives each expert, with gradient
  std::int64_t groups_in_use = 1;  ///< groups with valid tokens, at least 1; the others' f is 0
};

/// Which experts see which tokens, with what weight. Everything the MoE layer and the figures need; a router keeps
/// nothing of a call for later.
struct RoutingPlan {
  torch::Tensor token_M;   ///< int64, on the device of x: row of each kept pair, sorted by expert, then by row
  torch::Tensor weight_M;  ///< float32 with the gradient of the gate; undefined: every weight is 1
  std::vector<std::int64_t> expert_offsets;  ///< E + 1 numbers: the pairs of expert e are [offsets[e], offsets[e + 1])

  /// Beside the experts, or instead of the plain way in and out; undefined where a router does not use them.
  torch::Tensor input_weight_T;    ///< how much of the layer's input is added to its output, with gradient
  torch::Tensor input_TD;          ///< what the experts see instead of the layer's input
  torch::Tensor output_factor_MD;  ///< what the outputs of each pair are multiplied with, element by element
  torch::Tensor dispatch_GQL;      ///< way in: slot q of group g sees this mean of its L rows; token_M then names slots
  torch::Tensor combine_GLQ;       ///< way out: each row is this sum of its group's slots
  bool merged = false;             ///< all pairs go to one expert with the mean of all experts' weights

  std::int64_t passes = 1;  ///< passes through the layer that this plan stands for
  torch::Tensor state_T;    ///< int64 on the CPU: what a router of several passes has to know in the next one
  std::int64_t shared = 0;  ///< the last so many experts take every token: they are no choice and in no figure

  torch::Tensor balance_loss;        ///< scalar with gradient (mean over groups); undefined: the router has none
  std::vector<LoadBalance> balance;  ///< what balance_loss is made of, for each pass; empty: of something else
  torch::Tensor z_loss;              ///< scalar with gradient; undefined: the router has none
  torch::Tensor router_loss;         ///< another scalar with gradient, weighted by the router itself; undefined: none

  torch::Tensor logit_TE;        ///< float32 clean gate logits, detached; undefined: the router has none
  torch::Tensor probability_TE;  ///< float32 clean gate probabilities, detached; undefined: the router has none
  torch::Tensor choice_T;        ///< int64 on the CPU: first choice of each token before capacity, -1 for padding
  torch::Tensor dropped_T;       ///< int64 on the CPU: choices of each token that found no slot
  std::int64_t skipped = 0;      ///< second choices that their policy did not use; not counted as dropped

  std::int64_t experts() const { return static_cast<std::int64_t>(expert_offsets.size()) - 1; }
  std::int64_t pairs() const { return expert_offsets.back(); }
  /// Kept pairs of one expert.
  std::int64_t load(std::int64_t expert) const {
    return expert_offsets[static_cast<std::size_t>(expert) + 1] - expert_offsets[static_cast<std::size_t>(expert)];
  }
};

/// Expert of each kept pair, int64 [M], on the device of the plan.
torch::Tensor pair_experts(const RoutingPlan& plan);

/// Choices [T, 1] that send every valid token to one expert, and padding nowhere (-1).
torch::Tensor all_to(std::int64_t expert, const Tokens& tokens);

/// The plan of the kept choices, by a counting sort over experts. `kept_TK` undefined: every choice >= 0 is kept.
/// `weight_TK`: float32 with gradient, or undefined for weight 1. Fills choice_T and dropped_T.
RoutingPlan make_plan(const torch::Tensor& expert_TK, const torch::Tensor& kept_TK, const torch::Tensor& weight_TK,
                      std::int64_t experts, torch::Device device);

/// Adds one expert, after the plan's own, that takes every valid token with `weight_T` [T] (undefined: 1).
void add_shared_expert(RoutingPlan& plan, const torch::Tensor& weight_T, const Tokens& tokens);

/// One plan for what two passes through a layer did: pairs, drops and skips of both, choices and gate of the first, and
/// the mean of their losses.
RoutingPlan join_passes(const RoutingPlan& first, const RoutingPlan& second);

}  // namespace moe
