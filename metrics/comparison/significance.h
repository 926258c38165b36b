#pragma once
// Are two systems different? Paired bootstrap (Koehn 2004, "Statistical Significance Tests for Machine Translation
// Evaluation") and paired approximate randomisation (Riezler and Maxwell 2005), with the test statistics, the interval
// and the p value of sacreBLEU. The draws are core/random.h's, so that p values agree with sacreBLEU's up to the chance
// of the draws.

#include "metrics/sacrebleu.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// A metric's score of summands that were added up over sentences.
using ScoreOfSum = std::function<double(const Summands& sum)>;

/// [sentence]: what each translation of one system adds to the sum. All systems have the same sentences.
using SystemSummands = std::vector<Summands>;

enum class PairedTest {
  bootstrap,      ///< "bs": sentences are drawn anew, with replacement
  randomisation,  ///< "ar": translations of a sentence are swapped between both systems, or not
};

struct PairedOptions {
  PairedTest test = PairedTest::bootstrap;
  int samples = 1000;  ///< resamples or trials; sacreBLEU draws 1000 and 10000
  std::uint64_t seed = 12345;
};

/// Mean of resampled scores and half the width of the interval that holds 95 % of them.
struct ScoreSpread {
  double mean = 0;
  double half_width = 0;
};

struct PairedResult {
  double score = 0;
  std::optional<ScoreSpread> spread;  ///< by bootstrap only
  std::optional<double> p_value;      ///< none for the baseline
};

/// Sum over sentences, at least one.
Summands sum_of(const SystemSummands& sentences);

/// Compares each system with the first, the baseline: P(a difference larger than the one seen | there is none). The
/// same sentences are drawn or swapped for every system. Throws for no system, fewer than one sample, no sentence or
/// systems with different numbers of sentences.
std::vector<PairedResult> paired_test(const std::vector<SystemSummands>& systems, const ScoreOfSum& score,
                                      const PairedOptions& options);

/// A metric's signature with the test in it: "nrefs:1|bs:1000|seed:12345|case:mixed|...".
std::string signature_with(const std::string& signature, const PairedOptions& options);

}  // namespace moe
