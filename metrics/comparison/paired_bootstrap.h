#pragma once
// Runs compared over the sentences of their test sets: the paired bootstrap (Koehn 2004) of a weighted sum of the
// scores of systems, a mean difference of pairs for example. All systems of a test set get the same sentences in a
// resample, and test sets are drawn independently of each other; translations of one text into several languages are
// one test set. Seeds are not drawn: the t tests of metrics/comparison/hypothesis_tests.h speak about them.

#include "metrics/statistics.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace moe {

/// What one translation adds to the sum that a metric is computed from: counts of BLEU or chrF, {nats, tokens} of a
/// loss.
using SentenceRow = std::vector<double>;

/// [sentence]
using SystemRows = std::vector<SentenceRow>;

/// [draw]: one system of one seed, as often as it was evaluated; once, unless its experts are drawn.
using SystemDraws = std::vector<SystemRows>;

/// A metric's score of rows that were added up over sentences; metrics/comparison/row_scores.h has BLEU, chrF and loss.
using ScoreOfRow = std::function<double(const SentenceRow& sum)>;

/// A system with its share in the difference: +1/n and -1/n for both of each of n pairs.
struct WeightedSystem {
  SystemDraws draws;
  double weight = 1;
  std::size_t set = 0;  ///< number of the test set
};

struct BootstrapOptions {
  int samples = 1000;
  std::uint64_t seed = 12345;
  double level = 0.05;
};

/// A difference is the weighted sum over systems of the means over draws of their scores.
struct BootstrapDifference {
  double difference = 0;          ///< of the whole test sets
  Interval interval;              ///< holds a share 1 - level of the resampled differences
  std::vector<double> resampled;  ///< [sample] differences, ascending
};

/// Draws the sentences of set 0 as paired_test of metrics/comparison/significance.h does with the same seed. Throws for
/// no system, a system without draws or sentences, systems of one set with different numbers of sentences, rows of
/// different lengths, fewer than one sample, or a level outside 0..1.
BootstrapDifference bootstrap_difference(const std::vector<WeightedSystem>& systems, const ScoreOfRow& score,
                                         const BootstrapOptions& options = {});

/// Two-sided p of the hypothesis that the difference is `expected`: how often resampled differences are at least as far
/// from their own mean as the difference seen is from `expected`. Not sacreBLEU's p
/// (metrics/comparison/significance.h), which takes absolute values before their mean off: that leaves one tail, and at
/// a level of 5 % calls 11 % of equal systems different.
double bootstrap_p(const BootstrapDifference& bootstrap, double expected);

/// p of the hypothesis that the difference is not between -delta and delta: the larger of two one-sided p.
double bootstrap_equivalence_p(const BootstrapDifference& bootstrap, double delta);

}  // namespace moe
