#pragma once
// Corpus chrF (Popovic 2015) and chrF++ (Popovic 2017) as sacreBLEU computes them: F-score of character n-grams without
// white space and, for chrF++, word n-grams, averaged over the orders that both sides have.

#include "metrics/sacrebleu.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

struct ChrfOptions {
  bool lowercase = false;
  int character_order = 6;  ///< longest character n-grams
  int word_order = 0;       ///< longest word n-grams: 0 is chrF, 2 is chrF++
  int beta = 2;             ///< recall weighs beta times as much as precision
};

/// N-grams of one order.
struct ChrfCounts {
  std::int64_t hypothesis = 0;  ///< 0 where the reference has none of that order
  std::int64_t reference = 0;
  std::int64_t matches = 0;
};

/// What a sentence adds to the score: character orders, then word orders.
using ChrfStatistics = std::vector<ChrfCounts>;

/// All of it in one row, and back, for metrics/comparison/significance.h.
Summands summands_of(const ChrfStatistics& statistics);
ChrfStatistics chrf_statistics_of(const Summands& summands);

struct ChrfScore {
  double score = 0;  ///< 0 to 100
  std::string name;  ///< "chrF2", "chrF2++"
  std::string signature;
};

/// Statistics of one sentence against the reference that gives it the best score (of at least one; the first of
/// equals).
ChrfStatistics chrf_statistics(const std::string& hypothesis, const std::vector<std::string>& references,
                               const ChrfOptions& options);

/// The score, 0 to 100, of statistics that were added up.
double score_chrf(const ChrfStatistics& statistics, int beta);

/// "chrF2", "chrF2++": beta, and a plus for each word order.
std::string chrf_name(const ChrfOptions& options);

/// chrF of a corpus. Throws as check_references does, and for an order or beta below its least value (1, 0, 1).
ChrfScore corpus_chrf(const std::vector<std::string>& hypotheses, const References& references,
                      const ChrfOptions& options = {});

/// As sacreBLEU prints it: "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0".
std::string chrf_signature(const ChrfOptions& options, std::size_t references);

}  // namespace moe
