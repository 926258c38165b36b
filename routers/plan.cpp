#include "routers/plan.h"

#include "core/error.h"

#include <torch/types.h>

#include <numeric>

namespace moe {

torch::Tensor all_to(std::int64_t expert, const Tokens& tokens) {
  return torch::full({tokens.count()}, expert, torch::kInt64)
      .masked_fill(tokens.valid_T.logical_not(), -1)
      .unsqueeze(1);
}

RoutingPlan make_plan(const torch::Tensor& expert_TK, const torch::Tensor& kept_TK, const torch::Tensor& weight_TK,
                      std::int64_t experts, torch::Device device) {
  const torch::Tensor keep_TK = kept_TK.defined() ? kept_TK : expert_TK >= 0;
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  const auto kept = keep_TK.accessor<bool, 2>();
  const std::int64_t choices = expert_TK.size(1);

  RoutingPlan plan;
  plan.expert_offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
  for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
    for (std::int64_t k = 0; k < choices; ++k) {
      if (!kept[t][k]) continue;
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
  for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
    for (std::int64_t k = 0; k < choices; ++k) {
      if (!kept[t][k]) continue;
      const std::int64_t pair = next[expert[t][k]]++;
      token[pair] = t;
      source[pair] = t * choices + k;
    }
  }
  plan.token_M = token_M.to(device);
  if (weight_TK.defined()) plan.weight_M = weight_TK.reshape(-1).index_select(0, source_M.to(device));
  plan.choice_T = expert_TK.select(1, 0).clone();
  plan.dropped_T = (expert_TK >= 0).logical_and(keep_TK.logical_not()).sum(1);
  return plan;
}

}  // namespace moe
