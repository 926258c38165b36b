#pragma once
// From the claims of a sweep and its results to verdicts.

#include "harness/results/result_set.h"
#include "harness/verdicts/measurement.h"
#include "harness/verdicts/verdict.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace moe {

/// How often a claim was tested on more runs than before, and on how many the last time.
struct EarlierLook {
  std::int64_t looks = 0;
  std::size_t runs = 0;
};

/// The verdicts on all claims of the results' sweeps, in their order; of claims with one id in several sweeps the
/// first. A difference is real where the t test over seeds and the bootstrap over sentences both exclude the margin,
/// after Holm's correction over all claims that can be tested. `earlier`: by claim.
std::vector<Verdict> make_verdicts(const ResultSet& results, const std::map<std::string, EarlierLook>& earlier,
                                   const SentenceReader& read = read_sentence_scores);

/// Runs of two configurations, each with several seeds.
struct ConfigurationPair {
  std::vector<const RunResult*> first;
  std::vector<const RunResult*> second;
  std::string direction = {};  ///< the only language pair whose test sets count; empty: all count
};

/// For each pair whether the first is better than the second, with Holm's correction over all of them. Where the seeds
/// alone leave it open, sentences are not asked.
std::vector<Verdict> compare_configurations(const std::vector<ConfigurationPair>& pairs, const std::string& metric,
                                            const SentenceReader& read = read_sentence_scores);

/// The looks that a summary.json tells of; none of a document without claims.
std::map<std::string, EarlierLook> earlier_looks(const Json& summary);

}  // namespace moe
