#include "metrics/bleu.h"

#include "core/error.h"
#include "metrics/ngrams.h"
#include "metrics/unicode.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace moe {
namespace {

std::vector<std::string> words_of(const std::string& sentence, const BleuOptions& options) {
  return tokenize(options.lowercase ? lower_case(sentence) : sentence, options.tokenize);
}

/// The length closest to `length`, the shorter of two that are equally close.
std::size_t closest_length(const std::vector<Symbols>& references, std::size_t length) {
  const auto distance = [&](std::size_t other) { return other > length ? other - length : length - other; };
  const auto closest = std::min_element(references.begin(), references.end(), [&](const Symbols& a, const Symbols& b) {
    return std::pair(distance(a.size()), a.size()) < std::pair(distance(b.size()), b.size());
  });
  return closest->size();
}

/// For each n-gram its largest count in any one reference.
NgramCounts largest_counts(const std::vector<Symbols>& references, std::size_t order) {
  NgramCounts largest;
  for (const Symbols& reference : references) {
    for (const auto& [ngram, count] : count_ngrams(reference, order)) {
      std::int64_t& known = largest[ngram];
      known = std::max(known, count);
    }
  }
  return largest;
}

double penalty_of_brevity(const BleuStatistics& statistics) {
  if (statistics.system_length >= statistics.reference_length) return 1;
  if (statistics.system_length == 0) return 0;
  return std::exp(1 - static_cast<double>(statistics.reference_length) / static_cast<double>(statistics.system_length));
}

/// 0 for a smoothing without a value.
double smoothing_value(const BleuOptions& options) {
  if (options.smooth == BleuSmoothing::floor) return options.smooth_value.value_or(0.1);
  if (options.smooth == BleuSmoothing::add_k) return options.smooth_value.value_or(1);
  return 0;
}

/// What stands for `matches` of one order; `share_of_match` is halved by each order that has none.
double smoothed_matches(double matches, const BleuOptions& options, double value, double& share_of_match) {
  if (matches > 0) return matches;
  if (options.smooth == BleuSmoothing::exponential) return share_of_match /= 2;
  return options.smooth == BleuSmoothing::floor ? value : 0;
}

}  // namespace

BleuStatistics& BleuStatistics::operator+=(const BleuStatistics& other) {
  for (std::size_t n = 0; n < bleu_order; ++n) {
    counts[n] += other.counts[n];
    totals[n] += other.totals[n];
  }
  system_length += other.system_length;
  reference_length += other.reference_length;
  return *this;
}

Summands BleuStatistics::summands() const {
  Summands row = {system_length, reference_length};
  row.insert(row.end(), counts.begin(), counts.end());
  row.insert(row.end(), totals.begin(), totals.end());
  return row;
}

BleuStatistics BleuStatistics::of(const Summands& summands) {
  BleuStatistics statistics;
  statistics.system_length = summands[0];
  statistics.reference_length = summands[1];
  std::copy_n(summands.begin() + 2, bleu_order, statistics.counts.begin());
  std::copy_n(summands.begin() + 2 + bleu_order, bleu_order, statistics.totals.begin());
  return statistics;
}

BleuStatistics bleu_statistics(const std::string& hypothesis, const std::vector<std::string>& references,
                               const BleuOptions& options) {
  MOE_CHECK(!references.empty(), "A sentence without a reference cannot be scored.");
  WordNumbers numbers;
  const Symbols system = numbers.number(words_of(hypothesis, options));
  std::vector<Symbols> targets;
  for (const std::string& reference : references) targets.push_back(numbers.number(words_of(reference, options)));

  BleuStatistics statistics;
  statistics.system_length = static_cast<std::int64_t>(system.size());
  statistics.reference_length = static_cast<std::int64_t>(closest_length(targets, system.size()));
  for (std::size_t n = 1; n <= bleu_order; ++n) {
    statistics.counts[n - 1] = count_matches(count_ngrams(system, n), largest_counts(targets, n));
    statistics.totals[n - 1] = ngram_total(system.size(), n);
  }
  return statistics;
}

BleuScore score_bleu(const BleuStatistics& statistics, const BleuOptions& options) {
  BleuScore result(statistics);
  result.brevity_penalty = penalty_of_brevity(statistics);
  std::copy(statistics.counts.begin(), statistics.counts.end(), result.smoothed_counts.begin());
  std::copy(statistics.totals.begin(), statistics.totals.end(), result.smoothed_totals.begin());
  if (statistics.counts[0] == 0) return result;  // without a matching word no longer n-gram matches either
  const double value = smoothing_value(options);
  double share_of_match = 1;
  double log_sum = 0;
  std::size_t orders = 0;
  for (std::size_t n = 0; n < bleu_order; ++n) {
    double& matches = result.smoothed_counts[n];
    double& total = result.smoothed_totals[n];
    if (options.smooth == BleuSmoothing::add_k && n > 0) {
      matches += value;
      total += value;
    }
    if (total == 0 && options.effective_order) break;
    ++orders;
    // An order that no hypothesis is long enough for makes the score 0, smoothed or not.
    if (total > 0) result.precisions[n] = 100 * smoothed_matches(matches, options, value, share_of_match) / total;
    log_sum += std::log(result.precisions[n]);
  }
  result.score = result.brevity_penalty * std::exp(log_sum / static_cast<double>(orders));
  return result;
}

BleuScore corpus_bleu(const std::vector<std::string>& hypotheses, const References& references,
                      const BleuOptions& options) {
  check_references(hypotheses, references);
  BleuStatistics sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    sum += bleu_statistics(hypotheses[i], references_of(references, i), options);
  }
  BleuScore result = score_bleu(sum, options);
  result.signature = bleu_signature(options, references.size());
  return result;
}

std::string bleu_signature(const BleuOptions& options, std::size_t references) {
  const bool has_value = options.smooth == BleuSmoothing::floor || options.smooth == BleuSmoothing::add_k;
  return fmt::format("nrefs:{}|case:{}|eff:{}|tok:{}|smooth:{}{}|version:{}", references,
                     options.lowercase ? "lc" : "mixed", options.effective_order ? "yes" : "no",
                     tokenizer_name(options.tokenize), smoothing_name(options.smooth),
                     has_value ? fmt::format("[{:.2f}]", smoothing_value(options)) : "", sacrebleu_version);
}

std::string smoothing_name(BleuSmoothing smooth) {
  switch (smooth) {
    case BleuSmoothing::none:
      return "none";
    case BleuSmoothing::floor:
      return "floor";
    case BleuSmoothing::add_k:
      return "add-k";
    case BleuSmoothing::exponential:
      return "exp";
  }
  return "";
}

BleuSmoothing smoothing_named(const std::string& name) {
  for (const BleuSmoothing smooth :
       {BleuSmoothing::exponential, BleuSmoothing::floor, BleuSmoothing::add_k, BleuSmoothing::none}) {
    if (name == smoothing_name(smooth)) return smooth;
  }
  throw Error(fmt::format("There is no smoothing \"{}\"; there are exp, floor, add-k and none.", name));
}

}  // namespace moe
