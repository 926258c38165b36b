#pragma once
// The routing plan: a router's decision as a value, in parts that each have one reader.
//
// Legend: T tokens (rows of a call, padding included), K choices per token, E experts, M kept assignments (token,
// expert), G groups of L rows with Q slots each (soft MoE), D width.

#include "routers/expert_offsets.h"
#include "routers/tokens.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// Which experts see which tokens, with what weight: what the experts' kernel reads.
struct Assignment {
  torch::Tensor token_M;         ///< int64, on the device of x: row of each assignment, sorted by expert, then by row
  torch::Tensor weight_M;        ///< float32 with the gradient of the gate; undefined: every weight is 1
  ExpertOffsets expert_offsets;  ///< into token_M and weight_M
  std::int64_t shared = 0;       ///< the last so many experts take every token: they are no choice and in no statistic

  std::int64_t experts() const { return expert_offsets.experts(); }
  /// M.
  std::int64_t count() const { return expert_offsets.host().back(); }
  /// Assignments of one expert.
  std::int64_t load(std::int64_t expert) const {
    const std::vector<std::int64_t>& offset = expert_offsets.host();
    return offset[static_cast<std::size_t>(expert) + 1] - offset[static_cast<std::size_t>(expert)];
  }
};

/// Dispatch and combine through slots that mix rows (soft MoE); undefined in the plan of any other router. The rows of
/// the assignment are slots then. The layer reads it.
struct SlotMixing {
  torch::Tensor dispatch_GQL;  ///< slot q of group g sees this mean of its L rows
  torch::Tensor combine_GLQ;   ///< each row gets this sum of its group's slots

  bool defined() const { return dispatch_GQL.defined(); }
};

/// What goes into the experts and comes out, where that is not the layer's input and the weighted sum. The layer reads
/// it; undefined where a router does not use it.
struct ExpertIo {
  torch::Tensor input_TD;          ///< what the experts see instead of the layer's input
  torch::Tensor input_weight_T;    ///< how much of the layer's input is added to its output, with gradient
  torch::Tensor output_factor_MD;  ///< what the outputs of each assignment are multiplied with, element by element
  bool merged = false;             ///< all assignments are to one expert with the mean of all experts' weights
};

/// What a load balancing loss is made of, for one round through one gate and each of G groups of tokens.
struct LoadBalance {
  torch::Tensor share_GE;          ///< f: share of the choices that name each expert, without gradient
  torch::Tensor probability_GE;    ///< P: mean probability that the gate gives each expert, with gradient
  std::int64_t groups_in_use = 1;  ///< groups with valid tokens, at least 1; the others' f is 0
};

/// Scalars with gradient that the objective adds; undefined where the router has none.
struct RoutingLosses {
  torch::Tensor balance;                   ///< mean over groups
  std::vector<LoadBalance> balance_parts;  ///< what `balance` is made of, for each round; empty: of something else
  torch::Tensor z;
  torch::Tensor own;  ///< of the router itself, which has weighted it
};

/// What the evaluation counts. Nothing of it has a gradient or is read in a training step.
struct RoutingStatistics {
  torch::Tensor choice_T;        ///< int64 on the CPU: first choice of each token before capacity, -1 for padding
  torch::Tensor dropped_T;       ///< int64 on the CPU: choices of each token that found no slot
  std::int64_t skipped = 0;      ///< second choices that their policy did not use; not counted as dropped
  torch::Tensor logit_TE;        ///< float32 clean gate logits; undefined: the router has none
  torch::Tensor probability_TE;  ///< float32 clean gate probabilities; undefined: the router has none
};

/// All that a router decides for one call. It keeps nothing of the call for later.
struct RoutingPlan {
  Assignment assignment;
  SlotMixing mixing;
  ExpertIo io;
  RoutingLosses losses;
  RoutingStatistics statistics;
  std::int64_t rounds = 1;      ///< through the experts that this plan stands for (smoe, base with sublayers)
  torch::Tensor round_state_T;  ///< int64 on the CPU: what the router itself has to know in its next round
};

/// Expert of each assignment, int64 [M], on the device of token_M.
torch::Tensor assigned_experts(const Assignment& assignment);

/// Choices [T, 1] that send every valid token to one expert, and padding nowhere (-1).
torch::Tensor all_to(std::int64_t expert, const Tokens& tokens);

/// The plan of the kept choices, by a counting sort over experts. `kept_TK` undefined: every choice >= 0 is kept.
/// `weight_TK`: float32 with gradient, or undefined for weight 1. Fills the assignment, choice_T and dropped_T.
RoutingPlan make_plan(const torch::Tensor& expert_TK, const torch::Tensor& kept_TK, const torch::Tensor& weight_TK,
                      std::int64_t experts, torch::Device device);

/// Adds one expert, after the assignment's own, that takes every valid token with `weight_T` [T] (undefined: 1).
void add_shared_expert(Assignment& assignment, const torch::Tensor& weight_T, const Tokens& tokens);

/// One plan for what two rounds through a layer did: assignments, drops and skips of both, choices and gate of the
/// first, and the mean of their losses.
RoutingPlan join_rounds(const RoutingPlan& first, const RoutingPlan& second);

}  // namespace moe
