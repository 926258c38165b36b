#include "training/evaluation.h"

#include "core/error.h"
#include "kernels/losses/cross_entropy.h"
#include "training/routing_counts.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <numeric>

namespace moe {

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
  const ForwardContext pass{{Phase::evaluate, 0, 0, draw}};
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
