#include "training/evaluation.h"

#include "core/error.h"
#include "kernels/cross_entropy.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <numeric>

namespace moe {
namespace {

/// The pairs that are a choice, so without shared experts. Where slots stand between tokens and experts (soft MoE),
/// each token makes a pair with the expert that has the largest share in it.
RoutingPlan chosen_pairs(const RoutingPlan& plan) {
  if (plan.dispatch_GQL.defined()) {
    return make_plan(plan.choice_T.unsqueeze(1), {}, {}, plan.experts(), torch::kCPU);
  }
  RoutingPlan chosen = plan;
  chosen.expert_offsets.resize(plan.expert_offsets.size() - static_cast<std::size_t>(plan.shared));
  return chosen;
}

/// Adds the pairs to the loads, and returns the experts that kept each row.
std::vector<std::vector<std::size_t>> count_pairs(const RoutingPlan& plan, const Tokens& tokens,
                                                  RoutingCounts& counts) {
  std::vector<std::vector<std::size_t>> kept(static_cast<std::size_t>(tokens.count()));
  const torch::Tensor row_M = plan.token_M.to(torch::kCPU);
  const auto* row = row_M.const_data_ptr<std::int64_t>();
  const auto* direction = tokens.direction_T.const_data_ptr<std::int64_t>();
  for (std::int64_t e = 0; e < plan.experts(); ++e) {
    const auto expert = static_cast<std::size_t>(e);
    counts.load[expert] += plan.load(e);
    for (std::int64_t m = plan.expert_offsets[expert]; m < plan.expert_offsets[expert + 1]; ++m) {
      ++counts.direction_load[static_cast<std::size_t>(direction[row[m]])][expert];
      auto& experts = kept[static_cast<std::size_t>(row[m])];
      for (const std::size_t other : experts) {
        ++counts.together[other][expert];
        if (other != expert) ++counts.together[expert][other];
      }
      experts.push_back(expert);
    }
  }
  return kept;
}

void add_plan(const RoutingPlan& whole_plan, const Tokens& tokens, std::int64_t directions, RoutingCounts& counts) {
  const RoutingPlan plan = chosen_pairs(whole_plan);
  const auto experts = static_cast<std::size_t>(plan.experts());
  counts.load.resize(experts, 0);
  counts.direction_load.resize(static_cast<std::size_t>(directions), std::vector<std::int64_t>(experts, 0));
  counts.together.resize(experts, std::vector<std::int64_t>(experts, 0));
  const auto kept = count_pairs(plan, tokens, counts);
  const auto* valid = tokens.valid_T.const_data_ptr<bool>();
  const auto* dropped = plan.dropped_T.const_data_ptr<std::int64_t>();
  const auto* choice = plan.choice_T.const_data_ptr<std::int64_t>();
  for (std::int64_t t = 0; t < tokens.count(); ++t) {
    if (!valid[t]) continue;
    counts.dropped += dropped[t];
    if (dropped[t] > 0 && kept[static_cast<std::size_t>(t)].empty()) ++counts.fully_dropped;
    counts.choice.push_back(choice[t]);
  }
  counts.tokens += tokens.valid;
  counts.choices += plan.pairs() + plan.dropped_T.sum().item<std::int64_t>();
  counts.skipped += plan.skipped;
  if (whole_plan.probability_TE.defined()) {
    counts.has_confidence = true;
    const torch::Tensor best_T = std::get<0>(whole_plan.probability_TE.to(torch::kCPU).max(1));
    counts.confidence_sum += best_T.masked_select(tokens.valid_T).sum(torch::kFloat64).item<double>();
  }
}

}  // namespace

double SetLoss::per_token() const {
  const auto count = std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0});
  return std::accumulate(sum.begin(), sum.end(), 0.0) / static_cast<double>(count);
}

double SetLoss::per_token(std::size_t direction) const {
  return sum[direction] / static_cast<double>(tokens[direction]);
}

SetLoss evaluate_set(Transformer& model, const EncodedSet& set, std::int64_t directions, std::int64_t tokens_per_batch,
                     std::int64_t draw, torch::Device device) {
  const torch::NoGradGuard no_grad;
  SetLoss result;
  result.sum.assign(static_cast<std::size_t>(directions), 0.0);
  result.tokens.assign(static_cast<std::size_t>(directions), 0);
  result.routing.resize(model.moe_layers().size());
  const PassContext pass{Phase::evaluate, 0, 0, draw};
  for (const auto& members : evaluation_batches(set, tokens_per_batch)) {
    const ModelBatch batch = make_model_batch(make_batch(set, members), device);
    const Memory memory = model.encode(batch.source, pass);
    const Decoded decoded = model.decode(batch.target, memory, pass);
    const torch::Tensor row_N = batch.target_row_N;
    const torch::Tensor logit_NV = model.logits(decoded.state_BTD.flatten(0, 1).index_select(0, row_N));
    const torch::Tensor direction_N = batch.target.routing.direction_T.index_select(0, row_N.to(torch::kCPU));
    for (std::int64_t d = 0; d < directions; ++d) {
      const torch::Tensor mine = (direction_N == d).nonzero().squeeze(1).to(device);
      if (mine.size(0) == 0) continue;
      const bool all = mine.size(0) == row_N.size(0);
      const CrossEntropy entropy =
          all ? cross_entropy(logit_NV, batch.target_id_N, 0.0)
              : cross_entropy(logit_NV.index_select(0, mine), batch.target_id_N.index_select(0, mine), 0.0);
      result.sum[static_cast<std::size_t>(d)] += entropy.plain.item<double>();
      result.tokens[static_cast<std::size_t>(d)] += mine.size(0);
    }
    std::size_t layer = 0;
    for (const RoutingPlan& plan : memory.plans[0])
      add_plan(plan, batch.source.routing, directions, result.routing[layer++]);
    for (const RoutingPlan& plan : decoded.plans[0])
      add_plan(plan, batch.target.routing, directions, result.routing[layer++]);
  }
  if (!std::isfinite(std::accumulate(result.sum.begin(), result.sum.end(), 0.0))) {
    throw Error("The model's loss is not a finite number in the evaluation.", ExitStatus::runs_failed);
  }
  return result;
}

}  // namespace moe
