#include "harness/run/run_result.h"

#include "harness/run/device.h"
#include "harness/run/machine.h"
#include "model/model_size.h"
#include "training/undertrained.h"

#include <torch/types.h>

#include <utility>

namespace moe {
namespace {

std::string stopped_by(const Trainer& trainer, const TrainingSettings& training) {
  if (trainer.update() >= training.updates) return "updates";
  return training.flops && trainer.flops() >= *training.flops ? "flops" : "seconds";
}

Json training_summary(const Trainer& trainer, const TrainingSettings& training, const RunState& state,
                      const std::optional<ScoredValidation>& valid) {
  const std::optional<double> improvement = last_fifth_improvement(state.curve);
  bool undertrained = improvement.value_or(1.0) > undertrained_above;
  Json scored;
  if (valid) {
    const double lag = lag_of_mean(valid->loss, state.curve.back().at("valid_loss").get<double>());
    undertrained = undertrained || lag > undertrained_above;
    scored = {{"weights", state.mean.count()}, {"valid_loss", valid->loss}, {"valid_bleu", valid->bleu}, {"lag", lag}};
  }
  return {{"updates", trainer.update()},
          {"epochs", trainer.epochs()},
          {"target_tokens", trainer.target_tokens()},
          {"stopped_by", stopped_by(trainer, training)},
          {"undertrained", undertrained},
          {"last_fifth_improvement", improvement ? Json(*improvement) : Json()},
          {"scored_model", std::move(scored)}};
}

/// null for a rate of nothing.
Json ratio(double numerator, double denominator) {
  return denominator > 0 ? Json(numerator / denominator) : Json();
}

}  // namespace

void add_finished_parts(const Transformer& model, const Trainer& trainer, const RunSpec& spec, const RunState& state,
                        FinalScores scores, Json& result) {
  const ParameterCount parameters = count_parameters(model);
  result["status"] = "finished";
  result["parameters"] = {{"total", parameters.total}, {"active", parameters.active}};
  result["flops"] = {{"training", trainer.flops()},
                     {"per_target_token", ratio(trainer.flops(), static_cast<double>(trainer.target_tokens()))}};
  result["training"] = training_summary(trainer, spec.training, state, scores.valid);
  result["curve"] = state.curve;
  result["scores"] = std::move(scores.tests);
  result["routing"] = state.routing;
}

Json measurements(const Trainer& trainer, const RunState& state, double test_seconds, const std::string& device) {
  const Seconds& seconds = state.seconds;
  Json facts = {
      {"started", state.started},
      {"host", host_facts(device)},
      {"software", software_facts()},
      {"seconds",
       {{"total", seconds.training + seconds.validation + test_seconds},
        {"training", seconds.training},
        {"validation", seconds.validation},
        {"test", test_seconds}}},
      {"curve_seconds", state.curve_seconds},
      {"target_tokens_per_second", ratio(static_cast<double>(trainer.target_tokens()), seconds.training)},
      {"decoded_sentences_per_second", ratio(static_cast<double>(state.decoded_sentences), state.decoding_seconds)},
      {"peak_memory_bytes", peak_memory_bytes()}};
  if (const std::string name = device_name(device); !name.empty()) facts["host"]["gpu"] = name;
  if (const auto bytes = peak_device_memory_bytes(device)) facts["peak_device_memory_bytes"] = *bytes;
  return facts;
}

}  // namespace moe
