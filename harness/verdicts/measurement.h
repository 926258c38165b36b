#pragma once
// The effect of a contrast, measured: of each seed, and over resampled sentences.

#include "harness/results/sentence_scores.h"
#include "harness/verdicts/contrast.h"
#include "harness/verdicts/verdict.h"
#include "metrics/comparison/paired_bootstrap.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace moe {

struct Measurement {
  Evidence evidence;              ///< all but the p values
  BootstrapDifference sentences;  ///< empty where the seeds are too few to ask it
  std::string problem;            ///< why nothing is tested; empty: all is there
};

/// Fewest seeds that are tested: with k each, "all of mine beat all of yours" happens by chance once in C(2k, k).
inline constexpr std::size_t fewest_seeds = 3;

/// Where the scores of single sentences come from: read_sentence_scores, or numbers that were made up.
using SentenceReader = std::function<std::vector<SentenceScore>(const std::filesystem::path& file)>;

struct MeasurementOptions {
  SentenceReader read = read_sentence_scores;
  int samples = 1000;  ///< of the bootstrap
  double level = 0.05;
  std::string direction = {};  ///< the only language pair whose test sets count; empty: all count
  bool sparing = false;  ///< no bootstrap where the seeds alone leave a difference open: for many comparisons at once
};

/// Scores are a run's means over its test sets and over the draws of its evaluation. Reads the files of sentence
/// scores beside the results.
Measurement measure(const Contrast& contrast, const std::string& metric, const MeasurementOptions& options);

}  // namespace moe
