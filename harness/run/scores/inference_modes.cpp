#include "harness/run/scores/inference_modes.h"

#include "metrics/statistics.h"
#include "routers/inference.h"
#include "routers/registry.h"
#include "training/evaluation.h"

#include <algorithm>
#include <vector>

namespace moe {
namespace {

InferenceModeRecord mode_record(const std::string& mode, const std::vector<double>& losses) {
  return {mode, mean(losses), sample_deviation(losses), std::ssize(losses)};
}

/// Share of the target tokens for which the two name other pieces.
double disagreement(const TargetPredictions& one, const TargetPredictions& other) {
  std::int64_t others = 0;
  for (std::size_t i = 0; i < one.best_N.size(); ++i) others += one.best_N[i] == other.best_N[i] ? 0 : 1;
  return static_cast<double>(others) / static_cast<double>(one.best_N.size());
}

std::optional<double> mean_disagreement(const std::vector<TargetPredictions>& of_expert) {
  std::vector<double> of_pair;
  for (std::size_t a = 0; a < of_expert.size(); ++a) {
    for (std::size_t b = a + 1; b < of_expert.size(); ++b) of_pair.push_back(disagreement(of_expert[a], of_expert[b]));
  }
  return of_pair.empty() ? std::nullopt : std::optional(mean(of_pair));
}

}  // namespace

std::optional<InferenceRecord> inference_modes(Transformer& model, const RunSpec& spec, const EncodedSet& valid,
                                               ExecutionContext where) {
  const bool draws_experts = find_router(spec.strategy.router).stochastic_evaluation;
  if (!draws_experts || !spec.strategy.options.contains("inference")) return std::nullopt;
  const std::int64_t experts = spec.strategy.experts();
  const auto predictions = [&](const Inference& inference, std::int64_t draw) {
    // Every expert sees every token of `mean`: smaller batches, so that no more memory is taken than by training.
    const std::int64_t tokens =
        spec.training.tokens_per_batch / (inference.mode == Inference::Mode::mean ? experts : 1);
    return predict_targets(model, valid, std::max<std::int64_t>(tokens, 1), inference, draw, where);
  };
  InferenceRecord record;
  for (const char* mode : {"token", "sentence", "position_shared", "mean", "merged"}) {
    std::vector<double> losses;
    for (std::int64_t draw = 0; draw < (is_stochastic(mode) ? spec.evaluation.draws : 1); ++draw) {
      losses.push_back(predictions(inference_named(mode), draw).nats_per_token);
    }
    record.modes.push_back(mode_record(mode, losses));
  }
  std::vector<TargetPredictions> of_expert;
  std::vector<double> losses;
  for (std::int64_t expert = 0; expert < experts; ++expert) {
    of_expert.push_back(predictions({Inference::Mode::fixed, expert}, 0));
    losses.push_back(of_expert.back().nats_per_token);
  }
  record.modes.push_back(mode_record("fixed", losses));
  record.expert_disagreement = mean_disagreement(of_expert);
  return record;
}

}  // namespace moe
