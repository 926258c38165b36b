#include "harness/run/run_pace.h"

#include "core/stopwatch.h"
#include "decoding/beam_search.h"
#include "harness/run/build_model.h"
#include "training/evaluation.h"
#include "training/trainer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

constexpr std::int64_t scored_sample = 48;     ///< sentences whose scoring is timed
constexpr double training_sample_seconds = 1;  ///< of training that is timed
constexpr std::int64_t most_steps = 20;

/// Every so-manyth pair of the sets.
EncodedSet sample(const std::vector<const EncodedSet*>& sets, std::int64_t count) {
  EncodedSet all, some;
  for (const EncodedSet* set : sets) all.insert(all.end(), set->begin(), set->end());
  const std::size_t stride = std::max<std::size_t>(1, all.size() / static_cast<std::size_t>(count));
  for (std::size_t i = stride / 2; i < all.size(); i += stride) some.push_back(all[i]);
  return some;
}

/// Target tokens of a batch, over the batches of the first epoch.
double mean_batch_tokens(const RunSpec& spec, const EncodedSet& train) {
  const auto batches =
      epoch_batches(train, batch_limit(spec.training), spec.data.sampling_temperature, spec.training.seed, 0);
  std::int64_t tokens = 0;
  for (const auto& members : batches) tokens += make_batch(train, members).target_tokens;
  return static_cast<double>(tokens) / static_cast<double>(batches.size());
}

void measure_training(const RunSpec& spec, const PaceData& data, Transformer& model, RunPace& pace) {
  TrainingSettings training = spec.training;
  training.accumulate = 1;
  Trainer trainer(model, data.train, spec.data.sampling_temperature, training, spec.strategy.objective, torch::kCPU);
  trainer.step();  // buffers grow to their size
  const double flops_before = trainer.flops();
  const std::int64_t tokens_before = trainer.target_tokens();
  const Stopwatch stopwatch;
  do {
    trainer.step();
  } while (stopwatch.seconds() < training_sample_seconds && trainer.update() <= most_steps);
  // Batches differ: what was measured is scaled to the target tokens of a mean one.
  const double updates = static_cast<double>(trainer.target_tokens() - tokens_before) /
                         (mean_batch_tokens(spec, data.train) * static_cast<double>(spec.training.accumulate));
  pace.seconds_per_update = stopwatch.seconds() / updates;
  pace.flops_per_update = (trainer.flops() - flops_before) / updates;
}

/// Seconds that the loss and the translation of one sentence take.
double scoring_seconds(const RunSpec& spec, const PaceData& data, Transformer& model, std::int64_t beam) {
  const Stopwatch stopwatch;
  evaluate_set(model, data.scored, std::ssize(spec.data.directions), spec.training.tokens_per_batch, 0, torch::kCPU);
  BeamOptions options = beam_options(spec.evaluation, spec.training.tokens_per_batch);
  options.beam = beam;
  // The untrained model does not know when to end: its translations become as long as their sources.
  options.max_length_ratio = 1;
  options.max_length_constant = 0;
  translate(model, data.scored, options, torch::kCPU);
  return stopwatch.seconds() / static_cast<double>(data.scored.size());
}

}  // namespace

PaceData pace_data(const RunData& data) {
  PaceData result{data.train, {}, std::ssize(data.valid), 0, data.counts};
  std::vector<const EncodedSet*> sets = {&data.valid};
  for (const EncodedSet& set : data.test) {
    sets.push_back(&set);
    result.test_sentences += std::ssize(set);
  }
  result.scored = sample(sets, scored_sample);
  return result;
}

PaceData made_up_pace_data(std::int64_t vocabulary_size) {
  constexpr std::int64_t sentences = 1000, length = 25, first_word = end_id + 1;
  const std::int64_t words = vocabulary_size - first_word;
  EncodedSet set;
  for (std::int64_t i = 0; i < sentences; ++i) {
    EncodedPair pair;
    for (std::int64_t p = 0; p + 1 < length; ++p) pair.source.push_back(first_word + (i * length + p) % words);
    pair.source.push_back(end_id);
    pair.target = pair.source;
    pair.sentence = i;
    set.push_back(std::move(pair));
  }
  return {set, sample({&set}, scored_sample), sentences, sentences, count_tokens(set, vocabulary_size)};
}

RunPace measure_pace(const RunSpec& spec, const PaceData& data) {
  at::set_num_threads(1);
  const std::shared_ptr<Transformer> model = build_model(spec, data.counts);
  RunPace pace;
  measure_training(spec, data, *model, pace);
  const EvaluationSettings& evaluation = spec.evaluation;
  const auto draws = static_cast<double>(evaluation_draws(spec));
  const double valid = scoring_seconds(spec, data, *model, evaluation.valid_beam);
  const double test =
      evaluation.beam == evaluation.valid_beam ? valid : scoring_seconds(spec, data, *model, evaluation.beam);
  pace.seconds_per_validation = draws * valid * static_cast<double>(data.valid_sentences);
  pace.seconds_of_tests = draws * test * static_cast<double>(data.test_sentences);
  return pace;
}

double expected_updates(const TrainingSettings& training, const RunPace& pace) {
  auto updates = static_cast<double>(training.updates);
  if (training.flops) updates = std::min(updates, std::ceil(*training.flops / pace.flops_per_update));
  if (training.seconds) updates = std::min(updates, std::ceil(*training.seconds / pace.seconds_per_update));
  return updates;
}

double expected_seconds(const RunSpec& spec, const RunPace& pace) {
  const double updates = expected_updates(spec.training, pace);
  const bool averaged = spec.evaluation.average_share > 0 && updates > 0;
  const double validations = std::max(1.0, std::ceil(updates / static_cast<double>(spec.evaluation.every))) + averaged;
  return updates * pace.seconds_per_update + validations * pace.seconds_per_validation +
         (averaged ? 2 : 1) * pace.seconds_of_tests;
}

}  // namespace moe
