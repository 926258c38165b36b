#include "training/objective.h"

#include "routers/balance_loss.h"

#include <torch/types.h>

#include <string>
#include <utility>

namespace moe {
namespace {

/// One auxiliary loss of every layer that has it.
std::vector<torch::Tensor> losses_of(const Plans& encoder, const Plans& decoder, torch::Tensor RoutingLosses::* loss) {
  std::vector<torch::Tensor> losses;
  for (const Plans* plans : {&encoder, &decoder}) {
    for (const RoutingPlan& plan : *plans) {
      if ((plan.losses.*loss).defined()) losses.push_back(plan.losses.*loss);
    }
  }
  return losses;
}

/// Undefined when no layer has the loss.
torch::Tensor mean_over_layers(const Plans& encoder, const Plans& decoder, torch::Tensor RoutingLosses::* loss) {
  const std::vector<torch::Tensor> losses = losses_of(encoder, decoder, loss);
  return losses.empty() ? torch::Tensor() : torch::stack(losses).mean();
}

/// The load balancing loss by the rule of `balance_layers`; undefined when no layer has one.
torch::Tensor balance_over_layers(const Plans& encoder, const Plans& decoder, const std::string& rule) {
  if (rule == "mean") return mean_over_layers(encoder, decoder, &RoutingLosses::balance);
  std::vector<torch::Tensor> losses;
  if (rule == "sum") {
    losses = losses_of(encoder, decoder, &RoutingLosses::balance);
  } else {
    for (const Plans* plans : {&encoder, &decoder}) {
      std::vector<LoadBalance> layers;
      for (const RoutingPlan& plan : *plans)
        layers.insert(layers.end(), plan.losses.balance_parts.begin(), plan.losses.balance_parts.end());
      const bool stacks_experts = rule == "stacked_experts";
      const LayerPooling pooling = stacks_experts ? LayerPooling::stacked_experts : LayerPooling::concatenated;
      if (!layers.empty()) losses.push_back(pooled_balance_loss(layers, pooling));
    }
  }
  return losses.empty() ? torch::Tensor() : torch::stack(losses).sum();
}

/// States of the target's real positions, [P, N, D].
torch::Tensor target_states(const Decoded& decoded, const ModelBatch& batch, std::int64_t passes) {
  const torch::Tensor state_MD = decoded.state_BTD.flatten(0, 1);
  const std::int64_t rows = state_MD.size(0) / passes;
  std::vector<torch::Tensor> row_P;
  for (std::int64_t p = 0; p < passes; ++p) row_P.push_back(batch.target_row_N + p * rows);
  return state_MD.index_select(0, torch::cat(row_P)).view({passes, -1, state_MD.size(1)});
}

}  // namespace

void add_loads(const Plans& plans, std::size_t first_layer, ExpertLoads& loads) {
  if (loads.size() < first_layer + plans.size()) loads.resize(first_layer + plans.size());
  for (std::size_t i = 0; i < plans.size(); ++i) {
    auto& load = loads[first_layer + i];
    const Assignment& assignment = plans[i].assignment;
    load.resize(static_cast<std::size_t>(assignment.experts()), 0);
    for (std::int64_t e = 0; e < assignment.experts(); ++e) load[static_cast<std::size_t>(e)] += assignment.load(e);
  }
}

Losses compute_losses(Transformer& model, const ModelBatch& batch, const ObjectiveSettings& objective,
                      const MicroBatch& micro) {
  const auto passes = static_cast<double>(objective.passes);
  const double per_token = 1.0 / static_cast<double>(micro.target_tokens);
  const double per_micro_batch = 1.0 / static_cast<double>(micro.count);
  const ForwardContext pass{{Phase::train, micro.step, micro.index * objective.passes, 0}, objective.passes};
  const Memory memory = model.encode(batch.source, pass);
  const Decoded decoded = model.decode(batch.target, memory, pass);
  const FusedLinearLosses projected = model.losses(target_states(decoded, batch, objective.passes), batch.target_id_N,
                                                   objective.label_smoothing, objective.consistency);
  Losses losses;
  losses.cross_entropy = projected.smoothed / passes;
  losses.plain = projected.plain / passes;
  losses.consistency = projected.divergence;
  torch::Tensor total = projected.total * per_token;
  const auto add = [&](const torch::Tensor& loss, double weight) { total = total + loss * weight; };
  for (std::size_t p = 0; p < memory.plans.size(); ++p) {
    const Plans &encoder = memory.plans[p], &decoder = decoded.plans[p];
    const torch::Tensor balance = balance_over_layers(encoder, decoder, objective.balance_layers);
    const torch::Tensor z = mean_over_layers(encoder, decoder, &RoutingLosses::z);
    const torch::Tensor own = mean_over_layers(encoder, decoder, &RoutingLosses::own);
    if (balance.defined()) losses.balance += balance.item<double>();
    if (z.defined()) losses.z += z.item<double>();
    if (balance.defined() && objective.balance_loss > 0) add(balance, objective.balance_loss * per_micro_batch);
    if (z.defined() && objective.z_loss > 0) add(z, objective.z_loss * per_micro_batch);
    if (own.defined()) add(own, per_micro_batch);
    add_loads(encoder, 0, losses.loads);
    add_loads(decoder, encoder.size(), losses.loads);
  }
  losses.total = total / passes;
  return losses;
}

}  // namespace moe
