#include "routers/plan.h"

#include "core/error.h"
#include "kernels/cuda/route_ops.h"
#include "kernels/cuda/tensors.h"

#include <torch/types.h>

#include <numeric>
#include <utility>

namespace moe {
namespace {

torch::Tensor weights_of(const Assignment& assignment) {
  return assignment.weight_M.defined()
             ? assignment.weight_M
             : torch::ones({assignment.count()}, torch::TensorOptions(assignment.token_M.device()));
}

/// The running mean of a loss over rounds.
torch::Tensor mean_loss(const torch::Tensor& first, std::int64_t rounds, const torch::Tensor& second) {
  if (!first.defined() || !second.defined()) return first.defined() ? first : second;
  return (first * rounds + second) / (rounds + 1);
}

/// The assignments of both, in the order of their experts and rows. `rows`: of the call.
Assignment join_assignments(const Assignment& first, const Assignment& second, std::int64_t rows) {
  Assignment joined = first;
  const torch::Tensor expert_M = torch::cat({assigned_experts(first), assigned_experts(second)});
  const torch::Tensor token_M = torch::cat({first.token_M, second.token_M});
  const torch::Tensor order_M =
      std::get<1>((expert_M * rows + token_M).sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
  joined.token_M = token_M.index_select(0, order_M);
  joined.weight_M = torch::cat({weights_of(first), weights_of(second)}).index_select(0, order_M);
  std::vector<std::int64_t> offset = first.expert_offsets.host();
  for (std::size_t e = 0; e < offset.size(); ++e) offset[e] += second.expert_offsets.host()[e];
  joined.expert_offsets = std::move(offset);
  return joined;
}

/// Of each kept choice, sorted by expert: its row, and its index in the flattened [T, K].
struct SortedChoices {
  torch::Tensor token_M, source_M;
};

/// A counting sort. offset: of each expert.
SortedChoices sort_on_host(const torch::Tensor& expert_TK, const torch::Tensor& keep_TK,
                           const std::vector<std::int64_t>& offset) {
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  const auto kept = keep_TK.accessor<bool, 2>();
  const std::int64_t tokens = expert_TK.size(0), choices = expert_TK.size(1);
  SortedChoices sorted{torch::empty({offset.back()}, torch::kInt64), torch::empty({offset.back()}, torch::kInt64)};
  auto token = sorted.token_M.accessor<std::int64_t, 1>();
  auto source = sorted.source_M.accessor<std::int64_t, 1>();
  std::vector<std::int64_t> next = offset;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t k = 0; k < choices; ++k) {
      if (!kept[t][k]) continue;
      const std::int64_t place = next[static_cast<std::size_t>(expert[t][k])]++;
      token[place] = t;
      source[place] = t * choices + k;
    }
  }
  return sorted;
}

SortedChoices sort_choices(const torch::Tensor& expert_TK, const torch::Tensor& keep_TK,
                           const std::vector<std::int64_t>& offset, torch::Device device) {
  if constexpr (cuda::is_built) {
    if (cuda::runs_on(device)) {
      const torch::Tensor kept_TK = expert_TK.masked_fill(keep_TK.logical_not(), -1).contiguous();
      auto [token_M, source_M] =
          cuda::sort_choices(kept_TK, static_cast<std::int64_t>(offset.size()) - 1, offset.back(), device);
      return {token_M, source_M};
    }
  }
  const SortedChoices sorted = sort_on_host(expert_TK, keep_TK, offset);
  return {sorted.token_M.to(device), sorted.source_M.to(device)};
}

}  // namespace

torch::Tensor assigned_experts(const Assignment& assignment) {
  const torch::Tensor offset = torch::tensor(assignment.expert_offsets.host(), torch::kInt64);
  return torch::arange(assignment.experts()).repeat_interleave(offset.diff()).to(assignment.token_M.device());
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
  plan.statistics.choice_T = torch::empty({tokens}, torch::kInt64);
  plan.statistics.dropped_T = torch::zeros({tokens}, torch::kInt64);
  auto* choice = plan.statistics.choice_T.mutable_data_ptr<std::int64_t>();
  auto* dropped = plan.statistics.dropped_T.mutable_data_ptr<std::int64_t>();
  std::vector<std::int64_t> offset(static_cast<std::size_t>(experts) + 1, 0);
  for (std::int64_t t = 0; t < tokens; ++t) {
    choice[t] = expert[t][0];
    for (std::int64_t k = 0; k < choices; ++k) {
      if (!kept[t][k]) {
        dropped[t] += expert[t][k] >= 0 ? 1 : 0;
        continue;
      }
      MOE_CHECK(expert[t][k] >= 0 && expert[t][k] < experts, "Token {} is routed to expert {} of {}.", t, expert[t][k],
                experts);
      ++offset[static_cast<std::size_t>(expert[t][k]) + 1];
    }
  }
  std::partial_sum(offset.begin(), offset.end(), offset.begin());

  const SortedChoices sorted = sort_choices(expert_TK, keep_TK, offset, device);
  plan.assignment.token_M = sorted.token_M;
  plan.assignment.expert_offsets = std::move(offset);
  if (weight_TK.defined()) plan.assignment.weight_M = weight_TK.reshape(-1).index_select(0, sorted.source_M);
  return plan;
}

void add_shared_expert(Assignment& assignment, const torch::Tensor& weight_T, const Tokens& tokens) {
  const torch::Tensor row_S = tokens.valid_T.nonzero().squeeze(1).to(assignment.token_M.device());
  const torch::Tensor weight_M = weights_of(assignment);
  const torch::Tensor weight_S =
      weight_T.defined() ? weight_T.index_select(0, row_S) : torch::ones({row_S.size(0)}, weight_M.options());
  assignment.token_M = torch::cat({assignment.token_M, row_S});
  assignment.weight_M = torch::cat({weight_M, weight_S});
  std::vector<std::int64_t> offset = assignment.expert_offsets.host();
  offset.push_back(assignment.token_M.size(0));
  assignment.expert_offsets = std::move(offset);
  ++assignment.shared;
}

RoutingPlan join_rounds(const RoutingPlan& first, const RoutingPlan& second) {
  RoutingPlan joined = first;
  joined.assignment = join_assignments(first.assignment, second.assignment, first.statistics.choice_T.size(0));
  joined.statistics.dropped_T = first.statistics.dropped_T + second.statistics.dropped_T;
  joined.statistics.skipped += second.statistics.skipped;
  RoutingLosses& losses = joined.losses;
  losses.balance = mean_loss(first.losses.balance, first.rounds, second.losses.balance);
  losses.balance_parts.insert(losses.balance_parts.end(), second.losses.balance_parts.begin(),
                              second.losses.balance_parts.end());
  losses.z = mean_loss(first.losses.z, first.rounds, second.losses.z);
  losses.own = mean_loss(first.losses.own, first.rounds, second.losses.own);
  joined.round_state_T = second.round_state_T;
  ++joined.rounds;
  return joined;
}

}  // namespace moe
