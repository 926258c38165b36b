#include "training/evaluation.h"

#include "core/error.h"
#include "kernels/losses/cross_entropy.h"
#include "routers/routing_swap.h"
#include "training/routing_counts.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <numeric>

namespace moe {
namespace {

/// A batch with what the model made of it.
struct EvaluatedBatch {
  const ModelBatch& batch;
  const Memory& memory;
  const Decoded& decoded;
  torch::Tensor logit_NV;  ///< of the N target tokens

  /// A property of the decoder's rows, on the CPU, at the target tokens.
  torch::Tensor of_target(const torch::Tensor& property_T) const {
    return property_T.index_select(0, batch.target_row_N.to(torch::kCPU));
  }
};

template <class Visit>
void visit_batches(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch, const ForwardContext& pass,
                   torch::Device device, Visit visit) {
  const torch::NoGradGuard no_grad;
  for (const auto& members : evaluation_batches(set, tokens_per_batch)) {
    const ModelBatch batch = make_model_batch(make_batch(set, members), device);
    const Memory memory = model.encode(batch.source, pass);
    const Decoded decoded = model.decode(batch.target, memory, pass);
    const torch::Tensor state_ND = decoded.state_BTD.flatten(0, 1).index_select(0, batch.target_row_N);
    visit(EvaluatedBatch{batch, memory, decoded, model.logits(state_ND)});
  }
}

void check_finite(double loss) {
  if (!std::isfinite(loss)) {
    throw Error("The model's loss is not a finite number in the evaluation.", ExitStatus::runs_failed);
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

double SentenceLosses::per_token(std::size_t temperature) const {
  const auto count = std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0});
  return std::accumulate(nats[temperature].begin(), nats[temperature].end(), 0.0) / static_cast<double>(count);
}

SetLoss evaluate_set(Transformer& model, const EncodedSet& set, std::int64_t directions, std::int64_t tokens_per_batch,
                     std::int64_t draw, torch::Device device) {
  SetLoss result;
  result.sum.assign(static_cast<std::size_t>(directions), 0.0);
  result.tokens.assign(static_cast<std::size_t>(directions), 0);
  result.routing.resize(model.moe_layers().size());
  const ForwardContext pass{{Phase::evaluate, 0, 0, draw}};
  visit_batches(model, set, tokens_per_batch, pass, device, [&](const EvaluatedBatch& evaluated) {
    const ModelBatch& batch = evaluated.batch;
    for (std::int64_t d = 0; d < directions; ++d) {
      const torch::Tensor mine = (evaluated.of_target(batch.target.routing.direction_T) == d).nonzero().squeeze(1);
      if (mine.size(0) == 0) continue;
      const bool all = mine.size(0) == batch.target_id_N.size(0);
      const CrossEntropy entropy = all ? cross_entropy(evaluated.logit_NV, batch.target_id_N, 0.0)
                                       : cross_entropy(evaluated.logit_NV.index_select(0, mine.to(device)),
                                                       batch.target_id_N.index_select(0, mine.to(device)), 0.0);
      result.sum[static_cast<std::size_t>(d)] += entropy.plain.item<double>();
      result.tokens[static_cast<std::size_t>(d)] += mine.size(0);
    }
    std::size_t layer = 0;
    for (const RoutingPlan& plan : evaluated.memory.plans[0])
      add_plan(plan, batch.source.routing, directions, result.routing[layer++]);
    for (const RoutingPlan& plan : evaluated.decoded.plans[0])
      add_plan(plan, batch.target.routing, directions, result.routing[layer++]);
  });
  check_finite(std::accumulate(result.sum.begin(), result.sum.end(), 0.0));
  return result;
}

SentenceLosses sentence_losses(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                               std::int64_t draw, const std::vector<double>& temperatures, torch::Device device) {
  SentenceLosses losses{std::vector<std::int64_t>(set.size(), 0),
                        std::vector<std::vector<double>>(temperatures.size(), std::vector<double>(set.size(), 0.0))};
  const ForwardContext pass{{Phase::evaluate, 0, 0, draw}};
  visit_batches(model, set, tokens_per_batch, pass, device, [&](const EvaluatedBatch& evaluated) {
    const torch::Tensor sentence_N = evaluated.of_target(evaluated.batch.target.routing.sentence_T);
    const auto* sentence = sentence_N.const_data_ptr<std::int64_t>();
    for (std::int64_t n = 0; n < sentence_N.size(0); ++n) ++losses.tokens[static_cast<std::size_t>(sentence[n])];
    for (std::size_t i = 0; i < temperatures.size(); ++i) {
      const torch::Tensor log_probability_NV =
          (evaluated.logit_NV.to(torch::kFloat32) / temperatures[i]).log_softmax(1);
      const torch::Tensor nats_N = -log_probability_NV.gather(1, evaluated.batch.target_id_N.unsqueeze(1))
                                        .squeeze(1)
                                        .to(torch::kCPU, torch::kFloat64);
      const auto* nats = nats_N.const_data_ptr<double>();
      for (std::int64_t n = 0; n < nats_N.size(0); ++n)
        losses.nats[i][static_cast<std::size_t>(sentence[n])] += nats[n];
    }
  });
  return losses;
}

double fitted_temperature(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                          torch::Device device) {
  std::vector<double> temperatures;
  for (int step = -12; step <= 12; ++step) temperatures.push_back(std::exp2(step / 6.0));
  const SentenceLosses losses = sentence_losses(model, set, tokens_per_batch, 0, temperatures, device);
  std::size_t best = 0;
  for (std::size_t i = 1; i < temperatures.size(); ++i) {
    if (losses.per_token(i) < losses.per_token(best)) best = i;
  }
  if (best == 0 || best + 1 == temperatures.size()) return temperatures[best];
  const double below = losses.per_token(best - 1), lowest = losses.per_token(best), above = losses.per_token(best + 1);
  const double vertex = (below - above) / (2 * (below - 2 * lowest + above));  // in steps of the grid, from the lowest
  return temperatures[best] * std::exp2(vertex / 6.0);
}

std::optional<double> swapped_loss(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                                   RoutingSwap swap, torch::Device device) {
  ForwardContext pass{{Phase::evaluate}};
  pass.call.swap = swap;
  double sum = 0;
  std::int64_t tokens = 0;
  bool swapped = false;
  visit_batches(model, set, tokens_per_batch, pass, device, [&](const EvaluatedBatch& evaluated) {
    for (const Plans* plans : {&evaluated.memory.plans[0], &evaluated.decoded.plans[0]}) {
      for (const RoutingPlan& plan : *plans) swapped = swapped || can_swap_routing(plan, swap);
    }
    sum += cross_entropy(evaluated.logit_NV, evaluated.batch.target_id_N, 0.0).plain.item<double>();
    tokens += evaluated.batch.target_id_N.size(0);
  });
  return swapped ? std::optional(sum / static_cast<double>(tokens)) : std::nullopt;
}

}  // namespace moe
