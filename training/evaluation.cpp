#include "training/evaluation.h"

#include "core/error.h"
#include "kernels/losses/cross_entropy.h"
#include "parallel/share_out.h"
#include "routers/routing_swap.h"
#include "training/routing_counts.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
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

/// visit(batch) of every batch of the set in order; the ranks share them. Result: as of share_out.
template <class Result, class Visit>
std::vector<Result> visit_batches(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                                  const ForwardContext& pass, ExecutionContext where, Visit visit) {
  const auto batches = evaluation_batches(set, tokens_per_batch);
  return share_out<Result>(where.ranks, "evaluation", std::ssize(batches), [&](std::int64_t i) {
    const torch::NoGradGuard no_grad;
    const ModelBatch batch = make_model_batch(make_batch(set, batches[static_cast<std::size_t>(i)]), where.device);
    const Memory memory = model.encode(batch.source, pass);
    const Decoded decoded = model.decode(batch.target, memory, pass);
    const torch::Tensor state_ND = decoded.state_BTD.flatten(0, 1).index_select(0, batch.target_row_N);
    return visit(EvaluatedBatch{batch, memory, decoded, model.logits(state_ND)});
  });
}

/// What one batch adds to a SetLoss.
struct BatchLoss {
  std::vector<double> sum;           ///< [direction]
  std::vector<std::int64_t> tokens;  ///< [direction]
  std::vector<RoutingCounts> routing;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BatchLoss, sum, tokens, routing)

/// -log p of the target tokens of one batch, in their order.
struct BatchNats {
  std::vector<std::int64_t> sentence;     ///< [N] index in the set
  std::vector<std::vector<double>> nats;  ///< [temperature][N]
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BatchNats, sentence, nats)

/// What one batch adds to TargetPredictions.
struct BatchPredictions {
  double sum = 0;
  std::vector<std::int64_t> best;  ///< [N]
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BatchPredictions, sum, best)

/// What one batch adds to the loss under a swap of choices.
struct BatchSwap {
  double sum = 0;
  std::int64_t tokens = 0;
  bool swapped = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BatchSwap, sum, tokens, swapped)

/// -log p of all targets of a batch.
double sum_of_nats(const EvaluatedBatch& evaluated) {
  return cross_entropy(evaluated.logit_NV, evaluated.batch.target_id_N, 0.0).plain.item<double>();
}

template <class Value>
std::vector<Value> values_of(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.contiguous();
  return {values.const_data_ptr<Value>(), values.const_data_ptr<Value>() + values.numel()};
}

void check_finite(double loss) {
  if (!std::isfinite(loss)) {
    throw Error("The model's loss is not a finite number in the evaluation.", ExitStatus::runs_failed);
  }
}

/// -log p of each target, [N]. Few rows at a time: a copy of all logits would be the most memory that a run ever holds.
std::vector<double> target_nats(const torch::Tensor& logit_NV, const torch::Tensor& target_N, double temperature) {
  constexpr std::int64_t rows_at_once = 256;
  std::vector<torch::Tensor> parts;
  for (std::int64_t row = 0; row < logit_NV.size(0); row += rows_at_once) {
    const std::int64_t rows = std::min(rows_at_once, logit_NV.size(0) - row);
    const torch::Tensor logit = logit_NV.narrow(0, row, rows).to(torch::kFloat32);
    const torch::Tensor target = target_N.narrow(0, row, rows).unsqueeze(1);
    parts.push_back((logit / temperature).log_softmax(1).gather(1, target).squeeze(1));
  }
  if (parts.empty()) return {};
  return values_of<double>(-torch::cat(parts).to(torch::kCPU, torch::kFloat64));
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
                     std::int64_t draw, ExecutionContext where) {
  const auto batch_loss = [&](const EvaluatedBatch& evaluated) {
    BatchLoss loss{std::vector<double>(static_cast<std::size_t>(directions), 0.0),
                   std::vector<std::int64_t>(static_cast<std::size_t>(directions), 0),
                   std::vector<RoutingCounts>(model.moe_layers().size())};
    const ModelBatch& batch = evaluated.batch;
    for (std::int64_t d = 0; d < directions; ++d) {
      const torch::Tensor mine = (evaluated.of_target(batch.target.routing.direction_T) == d).nonzero().squeeze(1);
      if (mine.size(0) == 0) continue;
      const bool all = mine.size(0) == batch.target_id_N.size(0);
      const CrossEntropy entropy = all ? cross_entropy(evaluated.logit_NV, batch.target_id_N, 0.0)
                                       : cross_entropy(evaluated.logit_NV.index_select(0, mine.to(where.device)),
                                                       batch.target_id_N.index_select(0, mine.to(where.device)), 0.0);
      loss.sum[static_cast<std::size_t>(d)] = entropy.plain.item<double>();
      loss.tokens[static_cast<std::size_t>(d)] = mine.size(0);
    }
    std::size_t layer = 0;
    for (const RoutingPlan& plan : evaluated.memory.plans[0])
      add_plan(plan, batch.source.routing, directions, loss.routing[layer++]);
    for (const RoutingPlan& plan : evaluated.decoded.plans[0])
      add_plan(plan, batch.target.routing, directions, loss.routing[layer++]);
    return loss;
  };
  SetLoss result;
  result.sum.assign(static_cast<std::size_t>(directions), 0.0);
  result.tokens.assign(static_cast<std::size_t>(directions), 0);
  result.routing.resize(model.moe_layers().size());
  const ForwardContext pass{{Phase::evaluate, 0, 0, draw}};
  for (const BatchLoss& loss : visit_batches<BatchLoss>(model, set, tokens_per_batch, pass, where, batch_loss)) {
    for (std::size_t d = 0; d < result.sum.size(); ++d) {
      result.sum[d] += loss.sum[d];
      result.tokens[d] += loss.tokens[d];
    }
    for (std::size_t layer = 0; layer < result.routing.size(); ++layer) {
      add_counts(loss.routing[layer], result.routing[layer]);
    }
  }
  check_finite(std::accumulate(result.sum.begin(), result.sum.end(), 0.0));
  return result;
}

SentenceLosses sentence_losses(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                               std::int64_t draw, const std::vector<double>& temperatures, ExecutionContext where) {
  const auto batch_nats = [&](const EvaluatedBatch& evaluated) {
    BatchNats batch{values_of<std::int64_t>(evaluated.of_target(evaluated.batch.target.routing.sentence_T)), {}};
    for (const double temperature : temperatures) {
      batch.nats.push_back(target_nats(evaluated.logit_NV, evaluated.batch.target_id_N, temperature));
    }
    return batch;
  };
  SentenceLosses losses{std::vector<std::int64_t>(set.size(), 0),
                        std::vector<std::vector<double>>(temperatures.size(), std::vector<double>(set.size(), 0.0))};
  const ForwardContext pass{{Phase::evaluate, 0, 0, draw}};
  for (const BatchNats& batch : visit_batches<BatchNats>(model, set, tokens_per_batch, pass, where, batch_nats)) {
    for (std::size_t n = 0; n < batch.sentence.size(); ++n) {
      const auto sentence = static_cast<std::size_t>(batch.sentence[n]);
      ++losses.tokens[sentence];
      for (std::size_t i = 0; i < temperatures.size(); ++i) losses.nats[i][sentence] += batch.nats[i][n];
    }
  }
  return losses;
}

double fitted_temperature(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                          ExecutionContext where) {
  std::vector<double> temperatures;
  for (int step = -12; step <= 12; ++step) temperatures.push_back(std::exp2(step / 6.0));
  const SentenceLosses losses = sentence_losses(model, set, tokens_per_batch, 0, temperatures, where);
  std::size_t best = 0;
  for (std::size_t i = 1; i < temperatures.size(); ++i) {
    if (losses.per_token(i) < losses.per_token(best)) best = i;
  }
  if (best == 0 || best + 1 == temperatures.size()) return temperatures[best];
  const double below = losses.per_token(best - 1), lowest = losses.per_token(best), above = losses.per_token(best + 1);
  const double vertex = (below - above) / (2 * (below - 2 * lowest + above));  // in steps of the grid, from the lowest
  return temperatures[best] * std::exp2(vertex / 6.0);
}

TargetPredictions predict_targets(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                                  const Inference& inference, std::int64_t draw, ExecutionContext where) {
  const auto batch_predictions = [](const EvaluatedBatch& evaluated) {
    return BatchPredictions{sum_of_nats(evaluated),
                            values_of<std::int64_t>(evaluated.logit_NV.argmax(1).to(torch::kCPU))};
  };
  const ForwardContext pass{{.phase = Phase::evaluate, .sample = draw, .inference = inference}};
  TargetPredictions all;
  for (const BatchPredictions& batch :
       visit_batches<BatchPredictions>(model, set, tokens_per_batch, pass, where, batch_predictions)) {
    all.nats_per_token += batch.sum;
    all.best_N.insert(all.best_N.end(), batch.best.begin(), batch.best.end());
  }
  all.nats_per_token /= static_cast<double>(all.best_N.size());
  return all;
}

std::optional<double> swapped_loss(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                                   RoutingSwap swap, ExecutionContext where) {
  const auto batch_swap = [&](const EvaluatedBatch& evaluated) {
    BatchSwap batch{sum_of_nats(evaluated), evaluated.batch.target_id_N.size(0), false};
    for (const Plans* plans : {&evaluated.memory.plans[0], &evaluated.decoded.plans[0]}) {
      for (const RoutingPlan& plan : *plans) batch.swapped = batch.swapped || can_swap_routing(plan, swap);
    }
    return batch;
  };
  ForwardContext pass{{Phase::evaluate}};
  pass.call.swap = swap;
  BatchSwap whole;
  for (const BatchSwap& batch : visit_batches<BatchSwap>(model, set, tokens_per_batch, pass, where, batch_swap)) {
    whole.sum += batch.sum;
    whole.tokens += batch.tokens;
    whole.swapped = whole.swapped || batch.swapped;
  }
  return whole.swapped ? std::optional(whole.sum / static_cast<double>(whole.tokens)) : std::nullopt;
}

}  // namespace moe
