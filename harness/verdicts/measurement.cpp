#include "harness/verdicts/measurement.h"

#include "core/error.h"
#include "core/text.h"
#include "metrics/comparison/hypothesis_tests.h"
#include "metrics/comparison/row_scores.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace moe {
namespace {

/// How a metric is found in a result, and in its sentences.
struct MetricAccess {
  std::optional<double> (*of_set)(const TestScore& score);
  SentenceRow (*of_sentence)(const SentenceScore& sentence);
  ScoreOfRow of_row;
};

const MetricAccess& access_of(const std::string& metric) {
  static const std::map<std::string, MetricAccess> metrics = {
      {"bleu",
       {[](const TestScore& score) { return std::optional(score.bleu.score); },
        [](const SentenceScore& sentence) { return row_of(sentence.bleu); }, bleu_of_row}},
      {"chrf",
       {[](const TestScore& score) { return std::optional(score.chrf.score); },
        [](const SentenceScore& sentence) { return row_of(sentence.chrf); }, chrf_of_row}},
      {"loss",
       {[](const TestScore& score) { return score.loss; },
        [](const SentenceScore& sentence) { return SentenceRow{sentence.nats, static_cast<double>(sentence.tokens)}; },
        loss_of_row}},
      {"calibrated_loss",
       {[](const TestScore& score) { return score.calibrated_loss; },
        [](const SentenceScore& sentence) {
          return SentenceRow{sentence.calibrated_nats, static_cast<double>(sentence.tokens)};
        },
        loss_of_row}},
  };
  return metrics.at(metric);
}

/// The scores of a run that count: of one language pair, or all.
std::vector<const TestScore*> scores_in(const RunResult& run, const std::string& direction) {
  std::vector<const TestScore*> scores;
  for (const TestScore& score : run.scores) {
    if (direction.empty() || score.direction == direction) scores.push_back(&score);
  }
  return scores;
}

/// The mean over a run's test sets, nothing where one has no finite score.
std::optional<double> score_of(const RunResult& run, const MetricAccess& metric, const std::string& direction) {
  const std::vector<const TestScore*> scores = scores_in(run, direction);
  double sum = 0;
  for (const TestScore* score : scores) {
    const std::optional<double> value = metric.of_set(*score);
    if (!value || !std::isfinite(*value)) return std::nullopt;
    sum += *value;
  }
  return scores.empty() ? std::nullopt : std::optional(sum / static_cast<double>(scores.size()));
}

/// Adds the runs of a contrast to a bootstrap, with numbers for the test sets. The files of one set in several
/// directions are line-aligned, and what is hard to say in one language is so in others: line n of all is one sentence,
/// drawn for all of them. So are two other texts of one name and length, which does no harm.
class SentenceSystems {
 public:
  SentenceSystems(const MetricAccess& metric, const SentenceReader& read, const std::string& direction)
      : metric_(metric), read_(read), direction_(direction) {}

  /// Returns what is missing, empty when nothing is.
  std::string add(const RunResult& run, double weight) {
    const std::vector<const TestScore*> scores = scores_in(run, direction_);
    for (const TestScore* score : scores) {
      if (score->sentence_scores.empty()) return run.run_id + " has no scores of single sentences; run it again.";
      SystemDraws draws;
      for (const std::string& file : score->sentence_scores) {
        SystemRows& rows = draws.emplace_back();
        const std::filesystem::path path = run.file.parent_path() / file;
        for (const SentenceScore& sentence : read_(path)) {
          const SentenceRow& row = rows.emplace_back(metric_.of_sentence(sentence));
          if (std::all_of(row.begin(), row.end(), [](double number) { return std::isfinite(number); })) continue;
          return fmt::format("{}:{}: a score that is not a finite number.", path.string(), rows.size() + 1);
        }
      }
      const auto [set, is_new] = sets_.emplace(std::pair(score->set, draws.front().size()), sets_.size());
      if (is_new) sentences_ += draws.front().size();
      systems_.push_back({std::move(draws), weight / static_cast<double>(scores.size()), set->second});
    }
    return "";
  }

  const std::vector<WeightedSystem>& systems() const { return systems_; }
  std::size_t sentences() const { return sentences_; }

 private:
  const MetricAccess& metric_;
  const SentenceReader& read_;
  const std::string& direction_;
  std::map<std::pair<std::string, std::size_t>, std::size_t> sets_;  ///< by name and number of sentences
  std::vector<WeightedSystem> systems_;
  std::size_t sentences_ = 0;
};

/// The effects of one block, seed by seed. Adds to `problem` what a run lacks.
std::vector<double> effects_of(const ContrastBlock& block, const MetricAccess& metric, const std::string& name,
                               const std::string& direction, std::string& problem) {
  std::vector<double> effects;
  for (const auto& [seed, terms] : block.by_seed) {
    double effect = 0;
    for (const Term& term : terms) {
      const std::optional<double> score = score_of(*term.run, metric, direction);
      if (!score && problem.empty()) problem = fmt::format("{} has no {}.", term.run->run_id, name);
      effect += term.weight * score.value_or(NAN);
    }
    effects.push_back(effect);
  }
  return effects;
}

/// Weights of each run in the mean effect over seeds and blocks.
std::map<const RunResult*, double> run_weights(const Contrast& contrast) {
  std::map<const RunResult*, double> weights;
  const double parts = static_cast<double>(contrast.blocks.size() * contrast.seeds().size());
  for (const ContrastBlock& block : contrast.blocks) {
    for (const auto& [seed, terms] : block.by_seed) {
      for (const Term& term : terms) weights[term.run] += term.weight / parts;
    }
  }
  return weights;
}

/// The first run that is marked as undertrained.
const RunResult* undertrained_run(const Contrast& contrast) {
  const std::vector<const RunResult*> runs = contrast.runs();
  const auto found = std::find_if(runs.begin(), runs.end(), [](const RunResult* run) { return run->undertrained(); });
  return found == runs.end() ? nullptr : *found;
}

void measure_sentences(const Contrast& contrast, const MetricAccess& metric, const MeasurementOptions& options,
                       Measurement& result) {
  SentenceSystems systems(metric, options.read, options.direction);
  const std::map<const RunResult*, double> weights = run_weights(contrast);
  for (const RunResult* run : contrast.runs()) {  // not in the order of pointers, which differs from call to call
    result.problem = systems.add(*run, weights.at(run));
    if (!result.problem.empty()) return;
  }
  result.sentences =
      bootstrap_difference(systems.systems(), metric.of_row, {.samples = options.samples, .level = options.level});
  result.evidence.sentences_interval = result.sentences.interval;
  result.evidence.sentences = systems.sentences();
}

}  // namespace

Measurement measure(const Contrast& contrast, const std::string& metric, const MeasurementOptions& options) {
  Measurement result;
  const MetricAccess& access = access_of(metric);
  Evidence& evidence = result.evidence;
  evidence.seeds = contrast.seeds().size();
  evidence.seed_effects.assign(evidence.seeds, 0.0);
  for (const ContrastBlock& block : contrast.blocks) {
    const std::vector<double> effects = effects_of(block, access, metric, options.direction, result.problem);
    if (!result.problem.empty()) {
      evidence.effect = NAN;  // nothing was measured
      return result;
    }
    evidence.blocks.push_back({block.name, mean(effects), effects.size()});
    for (std::size_t i = 0; i < effects.size(); ++i) {
      evidence.seed_effects[i] += effects[i] / static_cast<double>(contrast.blocks.size());
    }
  }
  evidence.effect = mean(evidence.seed_effects);
  evidence.seeds_interval = interval_of_mean(evidence.seed_effects, 1 - options.level);
  if (evidence.seeds < fewest_seeds) {
    result.problem = fmt::format("{} where {} are needed.", count_of(static_cast<std::int64_t>(evidence.seeds), "seed"),
                                 fewest_seeds);
  } else if (const RunResult* run = undertrained_run(contrast)) {
    result.problem = fmt::format("{} is undertrained.", run->run_id);
  } else if (!options.sparing || t_test_p(evidence.seed_effects, 0) <= options.level) {
    measure_sentences(contrast, access, options, result);
  }
  return result;
}

}  // namespace moe
