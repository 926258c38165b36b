#include "routers/plan.h"

#include "core/error.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace moe {

void CapacityOptions::visit(FieldVisitor& visitor) {
  visitor.field({.key = "capacity_factor",
                 .help = "slots of an expert over its even share of the choices, in training; null: no limit",
                 .minimum = 0,
                 .above_minimum = true},
                capacity_factor);
  visitor.field({.key = "capacity",
                 .help = "slots of an expert as a number, in training and evaluation; null: by the factors",
                 .minimum = 1},
                capacity);
  visitor.field({.key = "minimum_capacity", .help = "least number of slots that a factor gives", .minimum = 0},
                minimum_capacity);
  visitor.field({.key = "evaluation_capacity_factor",
                 .help = "capacity_factor at evaluation; null: no limit, so that batch mates change nothing",
                 .minimum = 0,
                 .above_minimum = true},
                evaluation_capacity_factor);
  visitor.field({.key = "group",
                 .help = "which tokens compete for slots and share a balance loss",
                 .choices = {"batch", "sentence"}},
                group);
}

std::optional<std::int64_t> capacity_of(const CapacityOptions& options, Phase phase, std::int64_t choices,
                                        std::int64_t valid_tokens, std::int64_t experts) {
  if (options.capacity) return std::min(*options.capacity, valid_tokens);
  const auto& factor = phase == Phase::train ? options.capacity_factor : options.evaluation_capacity_factor;
  if (!factor) return std::nullopt;
  const double share = *factor * static_cast<double>(choices * valid_tokens) / static_cast<double>(experts);
  // 1.1 * 10 is 11.000000000000002 in floating point: without the guard its ceiling would be 12.
  const auto slots = static_cast<std::int64_t>(std::ceil(share - 1e-9));
  return std::min(std::max(options.minimum_capacity, slots), valid_tokens);
}

Groups make_groups(const std::string& group, const Tokens& tokens) {
  const bool by_sentence = group == "sentence";
  const auto valid = tokens.valid_T.accessor<bool, 1>();
  const auto row = tokens.row_T.accessor<std::int64_t, 1>();
  Groups groups;
  groups.of_token.resize(static_cast<std::size_t>(tokens.count()));
  groups.valid_tokens.resize(static_cast<std::size_t>(by_sentence ? tokens.rows : 1));
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    const std::int64_t index = by_sentence ? row[t] : 0;
    groups.of_token[t] = index;
    groups.valid_tokens[index] += valid[t] ? 1 : 0;
  }
  return groups;
}

torch::Tensor fill_slots(const torch::Tensor& expert_TK, std::int64_t experts, const CapacityOptions& options,
                         const Tokens& tokens) {
  const std::int64_t choices = expert_TK.size(1);
  const Groups groups = make_groups(options.group, tokens);
  std::vector<std::int64_t> capacity;
  for (const std::int64_t valid_tokens : groups.valid_tokens) {
    capacity.push_back(capacity_of(options, tokens.phase, choices, valid_tokens, experts)
                           .value_or(std::numeric_limits<std::int64_t>::max()));
  }

  torch::Tensor kept_TK = torch::zeros(expert_TK.sizes(), torch::kBool);
  auto kept = kept_TK.accessor<bool, 2>();
  const auto expert = expert_TK.accessor<std::int64_t, 2>();
  std::vector<std::int64_t> taken(groups.valid_tokens.size() * static_cast<std::size_t>(experts));
  for (std::int64_t k = 0; k < choices; ++k) {
    for (std::int64_t t = 0; t < expert_TK.size(0); ++t) {
      if (expert[t][k] < 0) continue;
      const std::int64_t group = groups.of_token[t];
      kept[t][k] = taken[group * experts + expert[t][k]]++ < capacity[group];
    }
  }
  return kept_TK;
}

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
