#include "routers/balance_loss.h"

#include "routers/choices.h"
#include "routers/gating.h"
#include "routers/slots.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <limits>

// Legend: T tokens, K choices per token, E experts, G groups.

namespace moe {
namespace {

constexpr std::int64_t always = std::numeric_limits<std::int64_t>::max();

using Dropped = BalanceRule::Dropped;
using Padding = BalanceRule::Padding;

const std::array<BalanceRule, 10> balance_rules = {{
    {.name = "norm"},
    {.name = "flaxformer", .over_positions = true, .divided_by_choices = false},
    {.name = "mesh_switch",
     .first_only_up_to = always,
     .padding_in_f = Padding::counted,
     .padding_in_P = true,
     .over_positions = true,
     .scaled_by_valid_share = true},
    {.name = "mesh_top_2", .first_only_up_to = always, .padding_in_second_P = true, .over_positions = true},
    {.name = "fairseq", .first_only_up_to = always, .padding_in_P = true, .over_positions = true},
    {.name = "deepspeed", .first_only_up_to = 2, .padding_in_P = true, .over_positions = true},
    {.name = "megablocks", .padding_in_f = Padding::counted, .padding_in_P = true, .over_positions = true},
    {.name = "hf_switch",
     .first_only_up_to = always,
     .dropped = Dropped::sent_to_expert_0,
     .padding_in_f = Padding::counted,
     .padding_in_P = true,
     .over_positions = true},
    {.name = "hf_nllb",
     .first_only_up_to = always,
     .dropped = Dropped::sent_to_expert_0,
     .padding_in_f = Padding::sent_to_expert_0,
     .over_positions = true,
     .weights_as_P = true},
    {.name = "st_moe",
     .first_only_up_to = always,
     .dropped = Dropped::left_out,
     .padding_in_f = Padding::counted,
     .padding_in_P = true,
     .over_positions = true},
}};

enum class CountedByF { all_choices, first_choices };
constexpr auto counted_by_f = std::to_array<Choice<CountedByF>>({
    {"all", CountedByF::all_choices},
    {"first", CountedByF::first_choices},
});

/// The choices that f counts, [T, K] of which the first `choices` matter; -1 for none.
torch::Tensor counted_choices(const BalanceInput& input, const BalanceRule& rule, std::int64_t choices,
                              const Tokens& tokens) {
  torch::Tensor expert_TK = input.expert_TK.narrow(1, 0, choices);
  if (rule.dropped != Dropped::counted && input.kept_TK.defined()) {
    const torch::Tensor dropped_TK = (expert_TK >= 0).logical_and(input.kept_TK.narrow(1, 0, choices).logical_not());
    expert_TK = expert_TK.masked_fill(dropped_TK, rule.dropped == Dropped::sent_to_expert_0 ? 0 : -1);
  }
  if (rule.padding_in_f == Padding::left_out) return expert_TK;
  if (rule.padding_in_f == Padding::sent_to_expert_0) {
    return expert_TK.masked_fill(tokens.valid_T.logical_not().unsqueeze(1), 0);
  }
  Tokens all = tokens;
  all.valid_T = torch::ones_like(tokens.valid_T);
  return torch::where(tokens.valid_T.unsqueeze(1), expert_TK, best_experts(input.probability_TE, choices, all));
}

/// Choices of each group that name each expert, [G, E] float64 on the CPU.
torch::Tensor count_choices(const torch::Tensor& expert_TK, std::int64_t experts, const Groups& groups) {
  torch::Tensor count_GE =
      torch::zeros({static_cast<std::int64_t>(groups.valid_tokens.size()), experts}, torch::kFloat64);
  auto count = count_GE.accessor<double, 2>();
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
    for (std::int64_t k = 0; k < expert_TK.size(1); ++k) {
      if (expert[t][k] >= 0) count[groups.of_token[t]][expert[t][k]] += 1;
    }
  }
  return count_GE;
}

}  // namespace

void BalanceOptions::visit(FieldVisitor& visitor) {
  visitor.field({.key = "balance",
                 .help = "whose load balancing loss E sum(f P): ours (norm) leaves padding out and counts choices "
                         "before capacity; others divide by all positions (flaxformer, for which k choices also sum to "
                         "k; mesh_top_2), count padding in P too (fairseq, deepspeed) or everywhere (megablocks; "
                         "mesh_switch, times the share of real tokens), or count kept first choices alone (st_moe; "
                         "hf_switch, where dropped tokens count for expert 0; hf_nllb, where padding does too, with "
                         "weights in place of probabilities)",
                 .choices = rule_names(balance_rules)},
                rule);
  visitor.field(
      {.key = "balance_counts", .help = "choices that the balance loss counts", .choices = rule_names(counted_by_f)},
      counts);
}

BalanceRule balance_rule(const BalanceOptions& options) {
  BalanceRule rule = rule_named(balance_rules, options.rule);
  if (choice_named(counted_by_f, options.counts) == CountedByF::first_choices) rule.first_only_up_to = always;
  return rule;
}

BalanceRule BalanceRule::of_second_choices() const {
  BalanceRule rule = *this;
  rule.padding_in_P = padding_in_P || padding_in_second_P;
  rule.weights_as_P = false;  // a second choice that is not kept has no weight
  return rule;
}

LoadBalance load_balance(const BalanceInput& input, const BalanceRule& rule, Grouping group, const Tokens& tokens) {
  const torch::Tensor& probability_TE = rule.weights_as_P ? input.weight_TE : input.probability_TE;
  const std::int64_t experts = probability_TE.size(1), most = input.expert_TK.size(1);
  const std::int64_t choices = most <= rule.first_only_up_to ? 1 : most;
  const Groups groups = make_groups(group, tokens);
  const auto count = static_cast<std::int64_t>(groups.valid_tokens.size());
  // Rows are batch-major: the tokens of a group stand together. A batch without sentences has no group of sentences.
  const std::int64_t positions = tokens.count() / std::max<std::int64_t>(1, count);
  const torch::Tensor valid_G1 = torch::tensor(groups.valid_tokens, torch::kFloat64).unsqueeze(1);
  const torch::Tensor in_use_G1 = valid_G1 > 0;
  // 0 / 0 is 0: a group of padding alone adds nothing.
  const torch::Tensor divisor_G1 =
      (rule.over_positions ? torch::full_like(valid_G1, static_cast<double>(positions)) : valid_G1).clamp_min(1);

  const torch::Tensor counted_TK = counted_choices(input, rule, choices, tokens);
  torch::Tensor f_GE = count_choices(counted_TK, experts, groups) / divisor_G1 * in_use_G1;
  if (rule.divided_by_choices) f_GE = f_GE / choices;
  if (rule.scaled_by_valid_share) f_GE = f_GE * valid_G1 / divisor_G1;

  torch::Tensor masked_TE = probability_TE;
  if (!rule.padding_in_P && tokens.valid < tokens.count()) {
    masked_TE = probability_TE.masked_fill(tokens.valid_T.to(probability_TE.device()).logical_not().unsqueeze(1), 0);
  }
  const torch::Tensor sum_GE = masked_TE.reshape({count, positions, experts}).sum(1);
  const torch::Tensor P_GE = sum_GE / divisor_G1.to(sum_GE.options());
  return {f_GE.to(P_GE.options()), P_GE, std::max<std::int64_t>(1, in_use_G1.sum().item<std::int64_t>())};
}

torch::Tensor load_balancing_loss(const LoadBalance& balance) {
  const auto experts = static_cast<double>(balance.share_GE.size(1));
  return experts / static_cast<double>(balance.groups_in_use) * (balance.share_GE * balance.probability_GE).sum();
}

torch::Tensor pooled_balance_loss(const std::vector<LoadBalance>& layers, LayerPooling pooling) {
  std::vector<torch::Tensor> share, probability;
  for (const LoadBalance& layer : layers) {
    share.push_back(layer.share_GE);
    probability.push_back(layer.probability_GE);
  }
  LoadBalance pooled{torch::stack(share).mean(0), layers.front().probability_GE, layers.front().groups_in_use};
  if (pooling == LayerPooling::stacked_experts) return static_cast<double>(layers.size()) * load_balancing_loss(pooled);
  pooled.probability_GE = torch::stack(probability).mean(0);
  return load_balancing_loss(pooled);
}

}  // namespace moe
