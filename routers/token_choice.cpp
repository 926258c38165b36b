#include "routers/token_choice.h"

#include "core/error.h"
#include "routers/streams.h"

#include <torch/types.h>

#include <algorithm>
#include <array>

namespace moe {
namespace {

constexpr double smallest_weight_sum = 1.1920929e-7;  // float32 epsilon, as in fairseq
constexpr std::int64_t most_next_best = 4;            // as in Mesh TensorFlow

using Normalise = TokenChoicePolicy::Normalise;
constexpr auto normalisations = std::to_array<Choice<Normalise>>({
    {"none", Normalise::none},
    {"before", Normalise::before},
    {"after", Normalise::after},
    {"batch", Normalise::batch},
});

/// The weights of the kept choices, [T, E]; 0 for experts that were not chosen.
torch::Tensor weight_table(const torch::Tensor& weight_TK, const Decision& decision, std::int64_t experts) {
  const torch::Tensor kept_TK = decision.kept_TK.to(weight_TK.device());
  const torch::Tensor expert_TK = decision.expert_TK.clamp_min(0).to(weight_TK.device());
  return torch::zeros({weight_TK.size(0), experts}, weight_TK.options()).scatter_add(1, expert_TK, weight_TK * kept_TK);
}

/// The candidates without experts that are closed to the token, whose score is -inf.
torch::Tensor open_candidates(const torch::Tensor& expert_TR, const torch::Tensor& score_TE) {
  const torch::Tensor score_TR = score_TE.detach().to(torch::kCPU).gather(1, expert_TR.clamp_min(0));
  return expert_TR.masked_fill(torch::isneginf(score_TR), -1);
}

}  // namespace

void TokenChoiceOptions::visit(FieldVisitor& visitor, std::int64_t choices) {
  visitor.field({.key = "experts", .help = "number of experts of a layer", .minimum = static_cast<double>(choices)},
                experts);
  visitor.field({.key = "normalise",
                 .help = "divide a token's weights by their sum: never, before slots are given, or after, when only "
                         "kept choices count; for one choice also by the sum over all tokens of the call (batch: "
                         "MegaBlocks before its pull request 87)",
                 .choices = rule_names(normalisations)},
                normalise);
  balance.visit(visitor);
  visitor.field({.key = "z_padding",
                 .help = "padding in the z-loss: left out, counted by its own logits (transformers, MegaBlocks), or "
                         "with logits of 0 (flaxformer)",
                 .choices = rule_names(z_paddings)},
                z_padding);
  visitor.field({.key = "jitter",
                 .help = "the gate, and only the gate, sees its input times U[1 - jitter, 1 + jitter] in training",
                 .minimum = 0,
                 .maximum = 1},
                noise.jitter);
  visitor.field({.key = "noise",
                 .help = "in training N(0, (noise / experts)^2) is added to the gate's logits (V-MoE: 1)",
                 .minimum = 0},
                noise.normal);
  capacity.visit(visitor);
}

void TokenChoiceOptions::check_choices(std::int64_t choices, const std::string& path, ConfigErrors& errors) const {
  errors.check(!capacity.offers_next_best() || choices == 1, join_path(path, "fill"),
               fmt::format("\"{}\" is for routers of one choice a token.", capacity.fill));
  errors.check(choice_named(normalisations, normalise) != Normalise::batch || choices == 1,
               join_path(path, "normalise"), "\"batch\" is for routers of one choice a token.");
}

TokenChoicePolicy::TokenChoicePolicy(const TokenChoiceOptions& options)
    : experts(options.experts),
      normalise(choice_named(normalisations, options.normalise)),
      balance(balance_rule(options.balance)),
      z_padding(choice_named(z_paddings, options.z_padding)),
      noise(options.noise),
      capacity(options.capacity) {}

void TopKOptions::visit(FieldVisitor& visitor) {
  choice.visit(visitor, 1);
  visitor.field({.key = "k", .help = "experts of a token", .minimum = 1}, k);
}

void TopKOptions::check(const std::string& path, ConfigErrors& errors) const {
  errors.check(k <= choice.experts, join_path(path, "k"),
               fmt::format("found {}, but there are {} experts.", k, choice.experts));
  choice.check_choices(k, path, errors);
}

Tokens one_place(Tokens tokens) {
  tokens.position_T = torch::zeros_like(tokens.position_T);
  return tokens;
}

torch::Tensor TokenChoiceRouter::candidates(const torch::Tensor& logit_TE, const Tokens& tokens) const {
  return best_experts(logit_TE, choices_, tokens);
}

torch::Tensor TokenChoiceRouter::used(const torch::Tensor& candidate_TK, const torch::Tensor& /*probability_TK*/,
                                      const Tokens& /*tokens*/) const {
  return candidate_TK;
}

torch::Tensor TokenChoiceRouter::combine_weights(const Decision& decision, const Tokens& /*tokens*/) const {
  const torch::Tensor& probability_TK = decision.probability_TK;
  if (policy_.normalise == Normalise::none) return probability_TK;
  if (policy_.normalise == Normalise::batch)
    return probability_TK / probability_TK.sum().clamp_min(smallest_weight_sum);
  const torch::Tensor counted_TK = policy_.normalise == Normalise::before
                                       ? probability_TK
                                       : probability_TK * decision.kept_TK.to(probability_TK.device());
  return probability_TK / counted_TK.sum(1, true).clamp_min(smallest_weight_sum);
}

RoutingPlan TokenChoiceRouter::route(const torch::Tensor& x_TD, const Tokens& tokens) {
  const GateScores scores = score(x_TD, tokens);
  const torch::Tensor& weight_TE = scores.weight_TE.defined() ? scores.weight_TE : scores.probability_TE;
  const torch::Tensor candidate_TK = candidates(scores.logit_TE, tokens);
  Decision decision;
  decision.probability_TK = chosen_probabilities(weight_TE, candidate_TK);
  const torch::Tensor wanted_TK = used(candidate_TK, decision.probability_TK, tokens);
  if (policy_.capacity.fill->offers_next_best) {
    const torch::Tensor best_TR = open_candidates(
        best_experts(scores.logit_TE, std::min(most_next_best, policy_.experts), tokens), scores.logit_TE);
    const NextBest filled = fill_next_best(best_TR, policy_.experts, policy_.capacity, tokens);
    decision = {chosen_probabilities(weight_TE, filled.expert_T1), filled.expert_T1, filled.kept_T1};
  } else {
    decision.expert_TK = wanted_TK;
    decision.kept_TK = fill_slots(wanted_TK, policy_.experts, policy_.capacity, tokens,
                                  {decision.probability_TK, call_stream(StreamTag::slots, context_, tokens)});
  }
  const torch::Tensor weight_TK = combine_weights(decision, tokens);
  RoutingPlan plan = make_plan(decision.expert_TK, decision.kept_TK, weight_TK, policy_.experts, x_TD.device());
  plan.statistics.choice_T = wanted_TK.select(1, 0).contiguous();  // before capacity, also where the next best fills in
  BalanceInput balance{scores.probability_TE, wanted_TK, decision.kept_TK, {}};
  if (policy_.balance.weights_as_P) balance.weight_TE = weight_table(weight_TK, decision, policy_.experts);
  plan.losses.balance_parts.push_back(load_balance(balance, policy_.balance, policy_.capacity.group, tokens));
  plan.losses.balance = load_balancing_loss(plan.losses.balance_parts.back());
  plan.statistics.skipped = choices_ * tokens.valid - (wanted_TK >= 0).sum().item<std::int64_t>();
  record_gate(scores, tokens, plan, policy_.z_padding);
  complete(scores, decision, tokens, plan);
  return plan;
}

SoftmaxGateRouter::SoftmaxGateRouter(const TokenChoiceOptions& options, std::int64_t choices,
                                     const RouterContext& context)
    : TokenChoiceRouter(options, choices, context),
      gate_ED_(register_parameter("weight", make_gate_weight(options.experts, context))) {}

GateScores SoftmaxGateRouter::score(const torch::Tensor& x_TD, const Tokens& tokens) {
  return softmax_gate(x_TD, gate_ED_, policy().noise, context(), tokens);
}

}  // namespace moe
