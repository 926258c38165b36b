#pragma once
// Pure steps that routers with a gate share (routers.md, section 0).
//
// Legend: T tokens, D width, E experts, K choices per token.

#include "routers/choices.h"
#include "routers/router.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace moe {

/// A matrix of a router's own, float32, N(0, deviation), drawn by counter from the run seed, the layer and the name.
torch::Tensor make_router_weight(std::int64_t rows, std::int64_t columns, double deviation, const std::string& name,
                                 const RouterContext& context);

/// A gate's weight [E, D]: N(0, 0.02).
torch::Tensor make_gate_weight(std::int64_t experts, const RouterContext& context);

/// Noise of a gate in training.
struct GateNoise {
  double jitter = 0;  ///< the gate, and only the gate, sees x * U[1 - jitter, 1 + jitter] (Fedus et al. 2021)
  double normal = 0;  ///< logits + N(0, (normal / E)^2) (Riquelme et al. 2021)

  bool applies(Phase phase) const { return (jitter > 0 || normal > 0) && phase == Phase::train; }
};

/// Logits [T, E] in float32 (float64 when x is), autocast off, with jitter drawn per element in training.
torch::Tensor gate_logits(const torch::Tensor& x_TD, const torch::Tensor& weight_ED, double jitter,
                          const RouterContext& context, const Tokens& tokens);

/// What a gate says about the tokens of a call, all [T, E].
struct GateScores {
  torch::Tensor clean_logit_TE;        ///< without noise: for the z-loss and the figures
  torch::Tensor logit_TE;              ///< what the choice is made from
  torch::Tensor probability_TE;        ///< rows sum to 1, of a softmax gate softmax(logit_TE): for the balance loss
  torch::Tensor clean_probability_TE;  ///< probability_TE without noise, for the figures
  torch::Tensor weight_TE;             ///< what the combine weights are taken from; undefined: probability_TE
};
/// Of a gate with these logits, which are asked for with jitter 0, and in training with noise also with its jitter.
GateScores softmax_scores(const GateNoise& noise, const RouterContext& context, const Tokens& tokens,
                          const std::function<torch::Tensor(double jitter)>& logits);
/// Of a linear gate.
GateScores softmax_gate(const torch::Tensor& x_TD, const torch::Tensor& weight_ED, const GateNoise& noise,
                        const RouterContext& context, const Tokens& tokens);

/// What padding adds to the z-loss.
enum class PaddingInZ {
  nothing,
  own_logits,   ///< it counts as any token (transformers, MegaBlocks)
  zero_logits,  ///< each adds (ln E)^2 (flaxformer)
};
inline constexpr auto z_paddings = std::to_array<Choice<PaddingInZ>>({
    {"excluded", PaddingInZ::nothing},
    {"included", PaddingInZ::own_logits},
    {"zero_logits", PaddingInZ::zero_logits},
});

/// Fills the plan's loss z and its statistics of the gate, logits and probabilities, from the clean scores.
void record_gate(const GateScores& scores, const Tokens& tokens, RoutingPlan& plan,
                 PaddingInZ padding = PaddingInZ::nothing);

/// The K best experts of each token by score, int64 [T, K] on the CPU: higher score first, ties to the lower index
/// (a stable order, unlike topk's); -1 for padding.
torch::Tensor best_experts(const torch::Tensor& score_TE, std::int64_t choices, const Tokens& tokens);

/// Replaces expert_TK's column `choice` of each valid token by a draw from softmax(logits) without the experts of the
/// columns before it: the best logit after adding Gumbel noise. `logit_TE`: on any device.
void sample_experts(const torch::Tensor& logit_TE, std::int64_t choice, const RandomStream& stream,
                    const Tokens& tokens, torch::Tensor& expert_TK);

/// Probabilities [T, K] of the chosen experts, with gradient; 0 where there is no choice (-1).
torch::Tensor chosen_probabilities(const torch::Tensor& probability_TE, const torch::Tensor& expert_TK);

/// Mean over valid tokens of logsumexp(logits)^2 (ST-MoE, Zoph et al. 2022), where padding counts over all positions; 0
/// without valid tokens.
torch::Tensor router_z_loss(const torch::Tensor& logit_TE, const Tokens& tokens,
                            PaddingInZ padding = PaddingInZ::nothing);

}  // namespace moe
