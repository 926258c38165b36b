#include "training/objective.h"

#include "kernels/cross_entropy.h"
#include "kernels/symmetric_kl.h"
#include "routers/balance_loss.h"

#include <torch/types.h>

#include <string>
#include <utility>

namespace moe {
namespace {

using Plans = std::vector<RoutingPlan>;

/// One auxiliary loss of every layer that has it.
std::vector<torch::Tensor> losses_of(const Plans& encoder, const Plans& decoder, torch::Tensor RoutingPlan::* loss) {
  std::vector<torch::Tensor> losses;
  for (const Plans* plans : {&encoder, &decoder}) {
    for (const RoutingPlan& plan : *plans) {
      if ((plan.*loss).defined()) losses.push_back(plan.*loss);
    }
  }
  return losses;
}

/// Undefined when no layer has the loss.
torch::Tensor mean_over_layers(const Plans& encoder, const Plans& decoder, torch::Tensor RoutingPlan::* loss) {
  const std::vector<torch::Tensor> losses = losses_of(encoder, decoder, loss);
  return losses.empty() ? torch::Tensor() : torch::stack(losses).mean();
}

/// The load balancing loss by the rule of `balance_layers`; undefined when no layer has one.
torch::Tensor balance_over_layers(const Plans& encoder, const Plans& decoder, const std::string& rule) {
  if (rule == "mean") return mean_over_layers(encoder, decoder, &RoutingPlan::balance_loss);
  std::vector<torch::Tensor> losses;
  if (rule == "sum") {
    losses = losses_of(encoder, decoder, &RoutingPlan::balance_loss);
  } else {
    for (const Plans* plans : {&encoder, &decoder}) {
      std::vector<LoadBalance> layers;
      for (const RoutingPlan& plan : *plans) layers.insert(layers.end(), plan.balance.begin(), plan.balance.end());
      if (!layers.empty()) losses.push_back(pooled_balance_loss(layers, rule));
    }
  }
  return losses.empty() ? torch::Tensor() : torch::stack(losses).sum();
}

}  // namespace

void add_loads(const std::vector<RoutingPlan>& plans, std::size_t first_layer, ExpertLoads& loads) {
  if (loads.size() < first_layer + plans.size()) loads.resize(first_layer + plans.size());
  for (std::size_t i = 0; i < plans.size(); ++i) {
    auto& load = loads[first_layer + i];
    load.resize(static_cast<std::size_t>(plans[i].experts()), 0);
    for (std::int64_t e = 0; e < plans[i].experts(); ++e) load[static_cast<std::size_t>(e)] += plans[i].load(e);
  }
}

Losses compute_losses(Transformer& model, const ModelBatch& batch, const ObjectiveSettings& objective,
                      const MicroBatch& micro) {
  Losses losses;
  const auto passes = static_cast<double>(objective.passes);
  const double per_token = 1.0 / static_cast<double>(micro.target_tokens);
  const double per_micro_batch = 1.0 / static_cast<double>(micro.count);
  torch::Tensor total;
  const auto add = [&](const torch::Tensor& loss, double weight) {
    total = total.defined() ? total + loss * weight : loss * weight;
  };
  std::vector<torch::Tensor> logits;
  for (std::int64_t p = 0; p < objective.passes; ++p) {
    const PassContext pass{Phase::train, micro.step, micro.index * objective.passes + p, 0};
    const Memory memory = model.encode(batch.source, pass);
    const Decoded decoded = model.decode(batch.target, memory, pass);
    const torch::Tensor state_ND = decoded.state_BTD.flatten(0, 1).index_select(0, batch.target_row_N);
    CrossEntropy entropy;
    if (objective.passes == 1) {
      entropy = model.cross_entropy(state_ND, batch.target_id_N, objective.label_smoothing);
    } else {  // the consistency loss compares the logits of two passes
      logits.push_back(model.logits(state_ND));
      entropy = cross_entropy(logits.back(), batch.target_id_N, objective.label_smoothing);
    }
    add(entropy.smoothed, per_token);
    losses.cross_entropy += entropy.smoothed.item<double>() / passes;
    losses.plain += entropy.plain.item<double>() / passes;
    const torch::Tensor balance = balance_over_layers(memory.plans, decoded.plans, objective.balance_layers);
    const torch::Tensor z = mean_over_layers(memory.plans, decoded.plans, &RoutingPlan::z_loss);
    const torch::Tensor own = mean_over_layers(memory.plans, decoded.plans, &RoutingPlan::router_loss);
    if (balance.defined()) losses.balance += balance.item<double>();
    if (z.defined()) losses.z += z.item<double>();
    if (balance.defined() && objective.balance_loss > 0) add(balance, objective.balance_loss * per_micro_batch);
    if (z.defined() && objective.z_loss > 0) add(z, objective.z_loss * per_micro_batch);
    if (own.defined()) add(own, per_micro_batch);
    add_loads(memory.plans, 0, losses.loads);
    add_loads(decoded.plans, memory.plans.size(), losses.loads);
  }
  if (objective.passes == 2) {
    if (objective.consistency > 0) {
      const torch::Tensor divergence = symmetric_kl(logits[0], logits[1]);
      losses.consistency = divergence.item<double>();
      add(divergence, objective.consistency * per_token);
    } else {
      losses.consistency = symmetric_kl(logits[0].detach(), logits[1].detach()).item<double>();
    }
  }
  losses.total = total / passes;
  return losses;
}

}  // namespace moe
