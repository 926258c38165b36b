#include "metrics/comparison/significance.h"

#include "core/error.h"
#include "core/random.h"
#include "metrics/comparison/resampling.h"
#include "metrics/statistics.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

void add(Summands& sum, const Summands& summands) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += summands[i];
}

/// Scores of a system whose sentences were drawn anew. The draws depend on the sample alone, not on the system.
std::vector<double> bootstrap_scores(const SystemSummands& sentences, const ScoreOfSum& score,
                                     const PairedOptions& options) {
  std::vector<double> scores;
  for (int sample = 0; sample < options.samples; ++sample) {
    Summands sum(sentences.front().size());
    for (const std::uint32_t drawn : resampled_sentences(options.seed, sample, sentences.size())) {
      add(sum, sentences[drawn]);
    }
    scores.push_back(score(sum));
  }
  return scores;
}

/// Differences of the scores of two systems that have swapped each sentence with probability 1/2.
std::vector<double> swapped_differences(const SystemSummands& first, const SystemSummands& second,
                                        const ScoreOfSum& score, const PairedOptions& options) {
  const RandomStream stream = RandomStream(options.seed).at(StreamTag::bootstrap).at("swap");
  std::vector<double> differences;
  for (int trial = 0; trial < options.samples; ++trial) {
    Summands sums[2] = {Summands(first.front().size()), Summands(first.front().size())};
    for (std::size_t i = 0; i < first.size(); ++i) {
      const auto swap = static_cast<std::size_t>(stream.at(trial).at(i).below(2));
      add(sums[swap], first[i]);
      add(sums[1 - swap], second[i]);
    }
    differences.push_back(std::abs(score(sums[0]) - score(sums[1])));
  }
  return differences;
}

/// Only larger differences count: a system compared with itself is not different by chance.
double p_value_of(const std::vector<double>& differences, double seen) {
  const auto larger = std::count_if(differences.begin(), differences.end(), [&](double d) { return d > seen; });
  return p_of_count(static_cast<std::size_t>(larger), differences.size());
}

/// The differences of resampled scores spread around the difference seen, not around 0: their mean is taken off.
double bootstrap_p_value(const std::vector<double>& baseline, const std::vector<double>& system, double seen) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < system.size(); ++i) differences.push_back(std::abs(system[i] - baseline[i]));
  const double center = mean(differences);
  for (double& difference : differences) difference -= center;
  return p_value_of(differences, seen);
}

ScoreSpread spread_of(std::vector<double> scores) {
  std::sort(scores.begin(), scores.end());
  const Interval interval = central_interval(scores, 0.05);
  return {mean(scores), (interval.high - interval.low) / 2};
}

}  // namespace

Summands sum_of(const SystemSummands& sentences) {
  MOE_CHECK(!sentences.empty(), "There is no sentence to score.");
  Summands sum(sentences.front().size());
  for (const Summands& summands : sentences) add(sum, summands);
  return sum;
}

std::vector<PairedResult> paired_test(const std::vector<SystemSummands>& systems, const ScoreOfSum& score,
                                      const PairedOptions& options) {
  MOE_CHECK(!systems.empty(), "There is no system to compare.");
  MOE_CHECK(options.samples >= 1, "A paired test needs at least 1 sample, not {}.", options.samples);
  const SystemSummands& baseline = systems.front();
  std::vector<double> baseline_scores;
  std::vector<PairedResult> results;
  for (const SystemSummands& system : systems) {
    MOE_CHECK(system.size() == baseline.size(), "A system of {} sentences cannot be compared with one of {}.",
              system.size(), baseline.size());
    PairedResult result;
    result.score = score(sum_of(system));
    const double seen = results.empty() ? 0 : std::abs(result.score - results.front().score);
    if (options.test == PairedTest::bootstrap) {
      const std::vector<double> scores = bootstrap_scores(system, score, options);
      result.spread = spread_of(scores);
      if (results.empty()) {
        baseline_scores = scores;
      } else {
        result.p_value = bootstrap_p_value(baseline_scores, scores, seen);
      }
    } else if (!results.empty()) {
      result.p_value = p_value_of(swapped_differences(baseline, system, score, options), seen);
    }
    results.push_back(result);
  }
  return results;
}

std::string signature_with(const std::string& signature, const PairedOptions& options) {
  const std::size_t behind_references = signature.find('|');
  return fmt::format("{}|{}:{}|seed:{}{}", signature.substr(0, behind_references),
                     options.test == PairedTest::bootstrap ? "bs" : "ar", options.samples, options.seed,
                     signature.substr(behind_references));
}

}  // namespace moe
