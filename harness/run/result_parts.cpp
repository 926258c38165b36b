#include "harness/run/result_parts.h"

#include "harness/run/device.h"
#include "harness/run/machine.h"
#include "model/model_size.h"
#include "training/undertrained.h"

#include <torch/types.h>

#include <cmath>
#include <utility>

namespace moe {
namespace {

std::string stopped_by(const Trainer& trainer, const TrainingSettings& training) {
  if (trainer.update() >= training.updates) return "updates";
  return training.flops && trainer.flops() >= *training.flops ? "flops" : "seconds";
}

TrainingRecord training_record(const Trainer& trainer, const TrainingSettings& training, const RunState& state,
                               const std::optional<ScoredValidation>& valid, const CurvePoint& last) {
  TrainingRecord record;
  record.updates = trainer.update();
  record.epochs = trainer.epochs();
  record.target_tokens = trainer.target_tokens();
  record.stopped_by = stopped_by(trainer, training);
  record.last_fifth_improvement = last_fifth_improvement(state.curve);
  record.undertrained = record.last_fifth_improvement.value_or(1.0) > undertrained_above;
  if (valid) {
    const double lag = lag_of_mean(valid->loss, last.valid_loss.value_or(NAN));
    record.undertrained = record.undertrained || lag > undertrained_above;
    record.scored_model = {state.mean.count(), valid->loss, valid->bleu, lag};
  }
  return record;
}

/// None for a rate of nothing.
std::optional<double> ratio(double numerator, double denominator) {
  return denominator > 0 ? std::optional(numerator / denominator) : std::nullopt;
}

/// The list that a run's state holds as JSON, since its checkpoint is a file of training.
template <class Record>
std::vector<Record> records_of(const Json& list) {
  std::vector<Record> records;
  for (const RecordNode& node : RecordNode(list, "run state").items()) records.push_back(read_record<Record>(node));
  return records;
}

}  // namespace

void add_finished_parts(const Transformer& model, const Trainer& trainer, const RunSpec& spec, const RunState& state,
                        FinalScores scores, RunRecord& record) {
  const ParameterCount parameters = count_parameters(model);
  record.status = "finished";
  record.parameters = {parameters.total, parameters.active};
  record.flops = {trainer.flops(), ratio(trainer.flops(), static_cast<double>(trainer.target_tokens()))};
  record.curve = records_of<CurvePoint>(state.curve);
  record.training = training_record(trainer, spec.training, state, scores.valid, record.curve.back());
  record.scores = std::move(scores.tests);
  record.routing = records_of<LayerRouting>(state.routing);
  record.calibration = scores.calibration;
  record.routing_swaps = std::move(scores.routing_swaps);
  record.inference = std::move(scores.inference);
}

MeasurementRecord measurements(const Trainer& trainer, const RunState& state, double test_seconds,
                               const std::string& device) {
  const Seconds& seconds = state.seconds;
  MeasurementRecord facts;
  facts.started = state.started;
  facts.host = host_facts(device, device_name(device));
  facts.software = software_facts();
  facts.seconds = {seconds.training + seconds.validation + test_seconds, seconds.training, seconds.validation,
                   test_seconds};
  facts.curve_seconds = state.curve_seconds;
  facts.target_tokens_per_second = ratio(static_cast<double>(trainer.target_tokens()), seconds.training);
  facts.decoded_sentences_per_second = ratio(static_cast<double>(state.decoded_sentences), state.decoding_seconds);
  facts.peak_memory_bytes = peak_memory_bytes();
  facts.peak_device_memory_bytes = peak_device_memory_bytes(device);
  return facts;
}

}  // namespace moe
