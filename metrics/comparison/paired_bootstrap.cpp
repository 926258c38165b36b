#include "metrics/comparison/paired_bootstrap.h"

#include "core/error.h"
#include "metrics/comparison/resampling.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace moe {
namespace {

/// The sentences that each resample of one test set draws, [sample][place].
using DrawnSentences = std::vector<std::vector<std::uint32_t>>;

/// Rows behind each other, [sentence][column]: resampling spends its time in reading them.
struct FlatRows {
  std::size_t columns = 0;
  std::vector<double> values;

  void add_to(SentenceRow& sum, std::size_t sentence) const {
    const double* row = values.data() + sentence * columns;
    for (std::size_t i = 0; i < columns; ++i) sum[i] += row[i];
  }
};

FlatRows flat(const SystemRows& system) {
  FlatRows rows{system.front().size(), {}};
  rows.values.reserve(system.size() * rows.columns);
  for (const SentenceRow& row : system) rows.values.insert(rows.values.end(), row.begin(), row.end());
  return rows;
}

/// Scores of the whole test set, then of each resample, means over the system's draws.
std::vector<double> scores_of(const SystemDraws& draws, const ScoreOfRow& score, const DrawnSentences& drawn) {
  std::vector<double> scores(1 + drawn.size());
  for (const SystemRows& system : draws) {
    const FlatRows rows = flat(system);
    SentenceRow sum(rows.columns);
    for (std::size_t sentence = 0; sentence < system.size(); ++sentence) rows.add_to(sum, sentence);
    scores[0] += score(sum) / static_cast<double>(draws.size());
    for (std::size_t sample = 0; sample < drawn.size(); ++sample) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (const std::uint32_t sentence : drawn[sample]) rows.add_to(sum, sentence);
      scores[1 + sample] += score(sum) / static_cast<double>(draws.size());
    }
  }
  return scores;
}

void check_draws(const SystemDraws& draws, std::size_t sentences, std::size_t columns) {
  MOE_CHECK(!draws.empty(), "A system without any evaluation cannot be compared.");
  for (const SystemRows& system : draws) {
    MOE_CHECK(system.size() == sentences, "A system of {} sentences cannot be compared with one of {}.", system.size(),
              sentences);
    for (const SentenceRow& row : system) {
      MOE_CHECK(row.size() == columns, "A row of {} numbers cannot be added to one of {}.", row.size(), columns);
    }
  }
}

/// Throws unless all systems of a test set have the same sentences, at least one.
void check_set(const std::vector<const WeightedSystem*>& systems) {
  const SystemDraws& first = systems.front()->draws;
  MOE_CHECK(!first.empty() && !first.front().empty(), "There is no sentence to score.");
  for (const WeightedSystem* system : systems) {
    check_draws(system->draws, first.front().size(), first.front().front().size());
  }
}

/// Each set has a seed of its own.
DrawnSentences draw_sentences(const BootstrapOptions& options, std::size_t set, std::size_t sentences) {
  DrawnSentences drawn;
  for (int sample = 0; sample < options.samples; ++sample) {
    drawn.push_back(resampled_sentences(options.seed + set, sample, sentences));
  }
  return drawn;
}

/// Weighted sums of scores of the whole test sets, then of each resample.
std::vector<double> weighted_sums(const std::vector<WeightedSystem>& systems, const ScoreOfRow& score,
                                  const BootstrapOptions& options) {
  std::map<std::size_t, std::vector<const WeightedSystem*>> systems_of_set;
  for (const WeightedSystem& system : systems) systems_of_set[system.set].push_back(&system);
  std::vector<double> sums(1 + static_cast<std::size_t>(options.samples));
  for (const auto& [set, systems_of_this] : systems_of_set) {
    check_set(systems_of_this);
    const DrawnSentences drawn = draw_sentences(options, set, systems_of_this.front()->draws.front().size());
    for (const WeightedSystem* system : systems_of_this) {
      const std::vector<double> scores = scores_of(system->draws, score, drawn);
      for (std::size_t i = 0; i < scores.size(); ++i) sums[i] += system->weight * scores[i];
    }
  }
  return sums;
}

/// p from the resampled differences whose distance from their mean `is_as_extreme`.
template <typename Extreme>
double p_of_distances(const BootstrapDifference& bootstrap, const Extreme& is_as_extreme) {
  const double center = mean(bootstrap.resampled);
  const auto reached = std::count_if(bootstrap.resampled.begin(), bootstrap.resampled.end(),
                                     [&](double difference) { return is_as_extreme(difference - center); });
  return p_of_count(static_cast<std::size_t>(reached), bootstrap.resampled.size());
}

}  // namespace

BootstrapDifference bootstrap_difference(const std::vector<WeightedSystem>& systems, const ScoreOfRow& score,
                                         const BootstrapOptions& options) {
  MOE_CHECK(!systems.empty(), "There is no system to compare.");
  MOE_CHECK(options.samples >= 1, "A bootstrap needs at least 1 sample, not {}.", options.samples);
  MOE_CHECK(options.level > 0 && options.level < 1, "The level of a test lies between 0 and 1: {}.", options.level);
  std::vector<double> differences = weighted_sums(systems, score, options);
  BootstrapDifference result;
  result.difference = differences.front();
  result.resampled.assign(differences.begin() + 1, differences.end());
  std::sort(result.resampled.begin(), result.resampled.end());
  result.interval = central_interval(result.resampled, options.level);
  return result;
}

double bootstrap_p(const BootstrapDifference& bootstrap, double expected) {
  const double seen = std::abs(bootstrap.difference - expected);
  return p_of_distances(bootstrap, [&](double distance) { return std::abs(distance) >= seen; });
}

double bootstrap_equivalence_p(const BootstrapDifference& bootstrap, double delta) {
  const double below = p_of_distances(bootstrap, [&](double d) { return d <= bootstrap.difference - delta; });
  const double above = p_of_distances(bootstrap, [&](double d) { return d >= bootstrap.difference + delta; });
  return std::max(below, above);
}

}  // namespace moe
