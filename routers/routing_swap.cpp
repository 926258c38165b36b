#include "routers/routing_swap.h"

#include "routers/streams.h"

#include <torch/types.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace moe {
namespace {

/// One kept assignment.
struct KeptChoice {
  std::int64_t expert = 0;
  std::int64_t row = 0;
  std::int64_t source = 0;  ///< its place in the plan as it was
};

/// Those that a router chooses among.
std::int64_t own_experts(const RoutingPlan& plan) {
  return plan.assignment.experts() - plan.assignment.shared;
}

std::vector<KeptChoice> choices_of(const Assignment& assignment) {
  const torch::Tensor row_M = assignment.token_M.to(torch::kCPU);
  const auto* row = row_M.const_data_ptr<std::int64_t>();
  const std::vector<std::int64_t>& offset = assignment.expert_offsets.host();
  std::vector<KeptChoice> choices;
  for (std::size_t e = 0; e + 1 < offset.size(); ++e) {
    for (std::int64_t m = offset[e]; m < offset[e + 1]; ++m)
      choices.push_back({static_cast<std::int64_t>(e), row[m], m});
  }
  return choices;
}

/// For each row the one that takes over its choices: the next in a random order of the valid rows.
std::vector<std::int64_t> next_in_random_order(const Tokens& tokens, const RandomStream& stream) {
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  std::vector<std::pair<std::uint64_t, std::int64_t>> order;
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (valid[t]) order.emplace_back(token_stream(stream, tokens, t).bits(), t);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> next(static_cast<std::size_t>(tokens.count()));
  for (std::size_t i = 0; i < order.size(); ++i) {
    next[static_cast<std::size_t>(order[i].second)] = order[(i + 1) % order.size()].second;
  }
  return next;
}

/// The gate's best expert of a row among those that it chose, or that it did not; -1 where there is none.
std::int64_t best_expert(const torch::TensorAccessor<float, 2>& probability, std::int64_t row,
                         const std::vector<std::int64_t>& chosen, bool among_chosen) {
  std::int64_t best = -1;
  for (std::int64_t e = 0; e < probability.size(1); ++e) {
    const bool is_chosen = std::find(chosen.begin(), chosen.end(), e) != chosen.end();
    if (is_chosen == among_chosen && (best < 0 || probability[row][e] > probability[row][best])) best = e;
  }
  return best;
}

/// `own`: the choices without those of shared experts.
void take_second_best(std::vector<KeptChoice>& own, const torch::Tensor& probability_TE) {
  const torch::Tensor host_TE = probability_TE.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const auto probability = host_TE.accessor<float, 2>();
  std::vector<std::vector<std::int64_t>> chosen(static_cast<std::size_t>(host_TE.size(0)));
  for (const KeptChoice& choice : own) chosen[static_cast<std::size_t>(choice.row)].push_back(choice.expert);
  for (KeptChoice& choice : own) {
    const std::vector<std::int64_t>& of_row = chosen[static_cast<std::size_t>(choice.row)];
    if (choice.expert != best_expert(probability, choice.row, of_row, true)) continue;
    const std::int64_t second = best_expert(probability, choice.row, of_row, false);
    if (second >= 0) choice.expert = second;
  }
}

/// Puts changed choices, in any order, in the place of those of the plan.
void replace_choices(RoutingPlan& plan, std::vector<KeptChoice> choices) {
  std::sort(choices.begin(), choices.end(), [](const KeptChoice& a, const KeptChoice& b) {
    return std::tie(a.expert, a.row, a.source) < std::tie(b.expert, b.row, b.source);
  });
  Assignment& assignment = plan.assignment;
  std::vector<std::int64_t> offset(assignment.expert_offsets.host().size(), 0), row, source;
  for (const KeptChoice& choice : choices) {
    row.push_back(choice.row);
    source.push_back(choice.source);
    ++offset[static_cast<std::size_t>(choice.expert) + 1];
  }
  std::partial_sum(offset.begin(), offset.end(), offset.begin());
  const torch::Device device = assignment.token_M.device();
  const torch::Tensor source_M = torch::tensor(source, torch::kInt64).to(device);
  assignment.token_M = torch::tensor(row, torch::kInt64).to(device);
  assignment.expert_offsets = std::move(offset);
  for (torch::Tensor* of_choice : {&assignment.weight_M, &plan.io.output_factor_MD}) {
    if (of_choice->defined()) *of_choice = of_choice->index_select(0, source_M);
  }
}

}  // namespace

bool can_swap_routing(const RoutingPlan& plan, RoutingSwap swap) {
  const torch::Tensor& probability_TE = plan.statistics.probability_TE;
  const std::int64_t experts = own_experts(plan);
  if (swap == RoutingSwap::none || experts < 2 || plan.mixing.defined() || plan.io.merged) return false;
  return swap != RoutingSwap::second_best || (probability_TE.defined() && probability_TE.size(1) == experts);
}

RoutingPlan with_swapped_routing(const RoutingPlan& plan, RoutingSwap swap, const Tokens& tokens,
                                 const RandomStream& stream) {
  if (!can_swap_routing(plan, swap)) return plan;
  const std::int64_t experts = own_experts(plan);
  const std::vector<KeptChoice> all = choices_of(plan.assignment);
  const auto first_shared =
      std::find_if(all.begin(), all.end(), [&](const KeptChoice& choice) { return choice.expert >= experts; });
  std::vector<KeptChoice> own(all.begin(), first_shared);
  if (swap == RoutingSwap::shuffled) {
    const std::vector<std::int64_t> next = next_in_random_order(tokens, stream);
    for (KeptChoice& choice : own) choice.row = next[static_cast<std::size_t>(choice.row)];
  } else if (swap == RoutingSwap::second_best) {
    take_second_best(own, plan.statistics.probability_TE);
  } else {
    for (KeptChoice& choice : own) {
      choice.expert = (choice.expert + token_stream(stream, tokens, choice.row).below(experts)) % experts;
    }
  }
  own.insert(own.end(), first_shared, all.end());
  RoutingPlan swapped = plan;
  replace_choices(swapped, std::move(own));
  return swapped;
}

}  // namespace moe
