#pragma once
// Corpus BLEU (Papineni et al. 2002) as sacreBLEU computes it.

#include "metrics/sacrebleu.h"
#include "metrics/text_tokenizer.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Longest n-grams that BLEU counts.
inline constexpr std::size_t bleu_order = 4;

/// What stands in for a precision without any match (Chen and Cherry 2014).
enum class BleuSmoothing {
  none,         ///< nothing: the score is 0
  floor,        ///< "floor", their method 1: a fixed number of matches, 0.1 unless given
  add_k,        ///< "add-k", their method 2: k, 1 unless given, more matches and n-grams of each order above 1
  exponential,  ///< "exp", their method 3: half a match, then a quarter, an eighth...
};

struct BleuOptions {
  bool lowercase = false;
  TextTokenizer tokenize = TextTokenizer::v13a;
  BleuSmoothing smooth = BleuSmoothing::exponential;
  std::optional<double> smooth_value = {};  ///< of floor and add-k, at least 0
  bool effective_order = false;  ///< leave out orders for which the hypothesis is too short; for single sentences
};

/// What a sentence adds to the score. The score of a set of sentences is the score of the sum of their statistics.
struct BleuStatistics {
  std::array<std::int64_t, bleu_order> counts{};  ///< matched n-grams, n = 1 first
  std::array<std::int64_t, bleu_order> totals{};  ///< n-grams of the hypothesis
  std::int64_t system_length = 0;                 ///< words of the hypothesis
  std::int64_t reference_length = 0;              ///< words of the reference closest in length, the shorter of two

  BleuStatistics& operator+=(const BleuStatistics& other);
  bool operator==(const BleuStatistics&) const = default;

  /// All of it in one row, and back, for metrics/comparison/significance.h.
  Summands summands() const;
  static BleuStatistics of(const Summands& summands);
};

struct BleuScore : BleuStatistics {
  BleuScore() = default;
  explicit BleuScore(const BleuStatistics& sum) : BleuStatistics(sum) {}

  /// counts and totals with what add-k added to them, which is what sacreBLEU reports.
  std::array<double, bleu_order> smoothed_counts{}, smoothed_totals{};
  double score = 0;                             ///< 0 to 100
  std::array<double, bleu_order> precisions{};  ///< 0 to 100, smoothed; all 0 when nothing matches
  double brevity_penalty = 1;
  std::string signature;  ///< filled in by corpus_bleu
};

/// Statistics of one sentence against all its references (at least one).
BleuStatistics bleu_statistics(const std::string& hypothesis, const std::vector<std::string>& references,
                               const BleuOptions& options);

/// The score of statistics that were added up; without a signature.
BleuScore score_bleu(const BleuStatistics& statistics, const BleuOptions& options);

/// BLEU of a corpus. Throws as check_references does.
BleuScore corpus_bleu(const std::vector<std::string>& hypotheses, const References& references,
                      const BleuOptions& options = {});

/// As sacreBLEU prints it: "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"; "smooth:floor[0.10]".
std::string bleu_signature(const BleuOptions& options, std::size_t references);

/// "none", "floor", "add-k", "exp".
std::string smoothing_name(BleuSmoothing smooth);

/// The smoothing of that name. Throws for an unknown name, listing the known ones.
BleuSmoothing smoothing_named(const std::string& name);

}  // namespace moe
