#include "routers/plan.h"

#include "core/error.h"

#include <torch/types.h>

#include <numeric>

namespace moe {
namespace {

torch::Tensor pair_weights(const RoutingPlan& plan) {
  return plan.weight_M.defined() ? plan.weight_M
                                 : torch::ones({plan.pairs()}, torch::TensorOptions(plan.token_M.device()));
}

/// The running mean of a loss over passes.
torch::Tensor mean_loss(const torch::Tensor& first, std::int64_t passes, const torch::Tensor& second) {
  if (!first.defined() || !second.defined()) return first.defined() ? first : second;
  return (first * passes + second) / (passes + 1);
}

}  // namespace

torch::Tensor pair_experts(const RoutingPlan& plan) {
  const torch::Tensor offset = torch::tensor(plan.expert_offsets, torch::kInt64);
  return torch::arange(plan.experts()).repeat_interleave(offset.diff()).to(plan.token_M.device());
}

torch::Tensor all_to(std::int64_t expert, const Tokens& tokens) {
  torch::Tensor expert_T1 = torch::empty({tokens.count(), 1}, torch::kInt64);
  const auto* valid = tokens.valid_T.const_data_ptr<bool>();
  auto* chosen = expert_T1.mutable_data_ptr<std::int64_t>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) chosen[t] = valid[t] ? expert : -1;
  return expert_T1;
}

RoutingPlan make_plan(const torch::Tensor& expert_TK, const torch::Tensor& kept_TK, const torch::Tensor& weight_TK,
                      std::int64_t experts, torch::Device device) {
  const torch::Tensor keep_TK = kept_TK.defined() ? kept_TK : expert_TK >= 0;
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  const auto kept = keep_TK.accessor<bool, 2>();
  const std::int64_t tokens = expert_TK.size(0), choices = expert_TK.size(1);

  RoutingPlan plan;
  plan.choice_T = torch::empty({tokens}, torch::kInt64);
  plan.dropped_T = torch::zeros({tokens}, torch::kInt64);
  auto* choice = plan.choice_T.mutable_data_ptr<std::int64_t>();
  auto* dropped = plan.dropped_T.mutable_data_ptr<std::int64_t>();
  plan.expert_offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
  for (std::int64_t t = 0; t < tokens; ++t) {
    choice[t] = expert[t][0];
    for (std::int64_t k = 0; k < choices; ++k) {
      if (!kept[t][k]) {
        dropped[t] += expert[t][k] >= 0 ? 1 : 0;
        continue;
      }
      MOE_CHECK(expert[t][k] >= 0 && expert[t][k] < experts, "Token {} is routed to expert {} of {}.", t, expert[t][k],
                experts);
      ++plan.expert_offsets[expert[t][k] + 1];
    }
  }
  std::partial_sum(plan.expert_offsets.begin(), plan.expert_offsets.end(), plan.expert_offsets.begin());

  torch::Tensor token_M = torch::empty({plan.pairs()}, torch::kInt64);
  torch::Tensor source_M = torch::empty({plan.pairs()}, torch::kInt64);  // index into the flattened [T, K]
  auto token = token_M.accessor<std::int64_t, 1>();
  auto source = source_M.accessor<std::int64_t, 1>();
  std::vector<std::int64_t> next = plan.expert_offsets;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t k = 0; k < choices; ++k) {
      if (!kept[t][k]) continue;
      const std::int64_t pair = next[expert[t][k]]++;
      token[pair] = t;
      source[pair] = t * choices + k;
    }
  }
  plan.token_M = token_M.to(device);
  if (weight_TK.defined()) plan.weight_M = weight_TK.reshape(-1).index_select(0, source_M.to(device));
  return plan;
}

void add_shared_expert(RoutingPlan& plan, const torch::Tensor& weight_T, const Tokens& tokens) {
  const torch::Tensor row_S = tokens.valid_T.nonzero().squeeze(1).to(plan.token_M.device());
  const torch::Tensor weight_M = pair_weights(plan);
  const torch::Tensor weight_S =
      weight_T.defined() ? weight_T.index_select(0, row_S) : torch::ones({row_S.size(0)}, weight_M.options());
  plan.token_M = torch::cat({plan.token_M, row_S});
  plan.weight_M = torch::cat({weight_M, weight_S});
  plan.expert_offsets.push_back(plan.token_M.size(0));
  ++plan.shared;
}

RoutingPlan join_passes(const RoutingPlan& first, const RoutingPlan& second) {
  RoutingPlan joined = first;
  const torch::Tensor expert_M = torch::cat({pair_experts(first), pair_experts(second)});
  const torch::Tensor token_M = torch::cat({first.token_M, second.token_M});
  const std::int64_t rows = first.choice_T.size(0);
  const torch::Tensor order_M =
      std::get<1>((expert_M * rows + token_M).sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
  joined.token_M = token_M.index_select(0, order_M);
  joined.weight_M = torch::cat({pair_weights(first), pair_weights(second)}).index_select(0, order_M);
  for (std::size_t e = 0; e < joined.expert_offsets.size(); ++e) joined.expert_offsets[e] += second.expert_offsets[e];
  joined.dropped_T = first.dropped_T + second.dropped_T;
  joined.skipped += second.skipped;
  joined.balance_loss = mean_loss(first.balance_loss, first.passes, second.balance_loss);
  joined.balance.insert(joined.balance.end(), second.balance.begin(), second.balance.end());
  joined.z_loss = mean_loss(first.z_loss, first.passes, second.z_loss);
  joined.state_T = second.state_T;
  ++joined.passes;
  return joined;
}

}  // namespace moe
