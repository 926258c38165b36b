#include "training/routing_counts.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace moe {
namespace {

/// The assignments that are a choice, so without shared experts. Where slots stand between tokens and experts (soft
/// MoE), each token is assigned to the expert that has the largest share in it.
RoutingPlan chosen_assignments(const RoutingPlan& plan) {
  if (plan.mixing.defined()) {
    return make_plan(plan.statistics.choice_T.unsqueeze(1), {}, {}, plan.assignment.experts(), torch::kCPU);
  }
  RoutingPlan chosen = plan;
  std::vector<std::int64_t> offset = plan.assignment.expert_offsets.host();
  offset.resize(offset.size() - static_cast<std::size_t>(plan.assignment.shared));
  chosen.assignment.expert_offsets = std::move(offset);
  return chosen;
}

/// Adds the assignments to the loads, and returns the experts that kept each row, in their order; one that kept it in
/// two rounds stands there twice.
std::vector<std::vector<std::size_t>> count_assignments(const RoutingPlan& plan, const Tokens& tokens,
                                                        RoutingCounts& counts) {
  std::vector<std::vector<std::size_t>> kept(static_cast<std::size_t>(tokens.count()));
  const torch::Tensor row_M = plan.assignment.token_M.to(torch::kCPU);
  const auto* row = row_M.const_data_ptr<std::int64_t>();
  const auto* direction = tokens.direction_T.const_data_ptr<std::int64_t>();
  const std::vector<std::int64_t>& offset = plan.assignment.expert_offsets.host();
  for (std::int64_t e = 0; e < plan.assignment.experts(); ++e) {
    const auto expert = static_cast<std::size_t>(e);
    counts.load[expert] += plan.assignment.load(e);
    for (std::int64_t m = offset[expert]; m < offset[expert + 1]; ++m) {
      ++counts.direction_load[static_cast<std::size_t>(direction[row[m]])][expert];
      kept[static_cast<std::size_t>(row[m])].push_back(expert);
    }
  }
  return kept;
}

/// Counts a token once for each two of its experts, and on the diagonal once for each that kept it more than once.
void count_together(const std::vector<std::size_t>& experts, std::vector<std::vector<std::int64_t>>& together) {
  std::vector<std::size_t> distinct = experts;
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const std::size_t one : distinct) {
    for (const std::size_t other : distinct) {
      if (one != other || std::count(experts.begin(), experts.end(), one) > 1) ++together[one][other];
    }
  }
}

}  // namespace

void add_plan(const RoutingPlan& whole_plan, const Tokens& tokens, std::int64_t directions, RoutingCounts& counts) {
  const RoutingPlan plan = chosen_assignments(whole_plan);
  const auto experts = static_cast<std::size_t>(plan.assignment.experts());
  counts.load.resize(experts, 0);
  counts.direction_load.resize(static_cast<std::size_t>(directions), std::vector<std::int64_t>(experts, 0));
  counts.together.resize(experts, std::vector<std::int64_t>(experts, 0));
  const auto kept = count_assignments(plan, tokens, counts);
  const auto* valid = tokens.valid_T.const_data_ptr<bool>();
  const auto* dropped = plan.statistics.dropped_T.const_data_ptr<std::int64_t>();
  const auto* choice = plan.statistics.choice_T.const_data_ptr<std::int64_t>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!valid[t]) continue;
    const std::vector<std::size_t>& experts_of_token = kept[static_cast<std::size_t>(t)];
    count_together(experts_of_token, counts.together);
    counts.dropped += dropped[t];
    if (experts_of_token.empty()) ++counts.fully_dropped;
    counts.choice.push_back(choice[t]);
  }
  counts.tokens += tokens.valid;
  counts.choices += plan.assignment.count() + plan.statistics.dropped_T.sum().item<std::int64_t>();
  counts.skipped += plan.statistics.skipped;
  if (whole_plan.statistics.probability_TE.defined()) {
    counts.has_confidence = true;
    const torch::Tensor best_T = std::get<0>(whole_plan.statistics.probability_TE.to(torch::kCPU).max(1));
    counts.confidence_sum += best_T.masked_select(tokens.valid_T).sum(torch::kFloat64).item<double>();
  }
}

}  // namespace moe
