#include "metrics/chrf.h"

#include "core/error.h"
#include "metrics/ngrams.h"
#include "metrics/unicode.h"

namespace moe {
namespace {

/// Both sequences that a sentence is compared by.
struct ChrfSentence {
  Symbols characters;
  Symbols words;
};

/// Words with one mark taken off: the last character if it is ASCII punctuation, else the first. A word of one
/// character stays whole.
std::vector<std::string> words_and_marks(const std::vector<std::string_view>& words) {
  std::vector<std::string> parts;
  for (const std::string_view word : words) {
    const bool ends = word.size() > 1 && is_ascii_punctuation(word.back());
    const bool starts = word.size() > 1 && is_ascii_punctuation(word.front());
    const std::size_t cut = ends ? word.size() - 1 : starts ? 1 : word.size();
    parts.emplace_back(word.substr(0, cut));
    if (cut < word.size()) parts.emplace_back(word.substr(cut));
  }
  return parts;
}

ChrfSentence take_apart(const std::string& sentence, bool lowercase, WordNumbers& numbers) {
  const std::string text = lowercase ? lower_case(sentence) : sentence;
  const std::vector<std::string_view> words = split_words(text);
  ChrfSentence parts;
  for (const std::string_view word : words) parts.characters += code_points(word);
  parts.words = numbers.number(words_and_marks(words));
  return parts;
}

/// Adds the orders 1 to `longest` of one sequence.
void append_counts(const Symbols& hypothesis, const Symbols& reference, int longest, ChrfStatistics& statistics) {
  for (std::size_t order = 1; order <= static_cast<std::size_t>(longest); ++order) {
    ChrfCounts counts;
    counts.reference = ngram_total(reference.size(), order);
    if (counts.reference > 0) {
      counts.hypothesis = ngram_total(hypothesis.size(), order);
      counts.matches = count_matches(count_ngrams(hypothesis, order), count_ngrams(reference, order));
    }
    statistics.push_back(counts);
  }
}

void add(ChrfStatistics& sum, const ChrfStatistics& statistics) {
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i].hypothesis += statistics[i].hypothesis;
    sum[i].reference += statistics[i].reference;
    sum[i].matches += statistics[i].matches;
  }
}

}  // namespace

ChrfStatistics chrf_statistics(const std::string& hypothesis, const std::vector<std::string>& references,
                               const ChrfOptions& options) {
  MOE_CHECK(!references.empty(), "A sentence without a reference cannot be scored.");
  WordNumbers numbers;
  const ChrfSentence system = take_apart(hypothesis, options.lowercase, numbers);
  ChrfStatistics best;
  double best_score = -1;
  for (const std::string& reference : references) {
    const ChrfSentence target = take_apart(reference, options.lowercase, numbers);
    ChrfStatistics statistics;
    append_counts(system.characters, target.characters, options.character_order, statistics);
    append_counts(system.words, target.words, options.word_order, statistics);
    const double score = score_chrf(statistics, options.beta);
    if (score > best_score) {
      best_score = score;
      best = std::move(statistics);
    }
  }
  return best;
}

double score_chrf(const ChrfStatistics& statistics, int beta) {
  double precision = 0;
  double recall = 0;
  int orders = 0;
  for (const ChrfCounts& counts : statistics) {
    if (counts.hypothesis == 0 || counts.reference == 0) continue;
    precision += static_cast<double>(counts.matches) / static_cast<double>(counts.hypothesis);
    recall += static_cast<double>(counts.matches) / static_cast<double>(counts.reference);
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  const double weight = static_cast<double>(beta) * beta;
  return 100 * (1 + weight) * precision * recall / (weight * precision + recall);
}

Summands summands_of(const ChrfStatistics& statistics) {
  Summands row;
  for (const ChrfCounts& counts : statistics)
    row.insert(row.end(), {counts.hypothesis, counts.reference, counts.matches});
  return row;
}

ChrfStatistics chrf_statistics_of(const Summands& summands) {
  ChrfStatistics statistics(summands.size() / 3);
  for (std::size_t i = 0; i < statistics.size(); ++i) {
    statistics[i] = {summands[3 * i], summands[3 * i + 1], summands[3 * i + 2]};
  }
  return statistics;
}

std::string chrf_name(const ChrfOptions& options) {
  return fmt::format("chrF{}{}", options.beta, std::string(static_cast<std::size_t>(options.word_order), '+'));
}

ChrfScore corpus_chrf(const std::vector<std::string>& hypotheses, const References& references,
                      const ChrfOptions& options) {
  check_references(hypotheses, references);
  MOE_CHECK(options.character_order >= 1, "chrF's character order must be at least 1, not {}.",
            options.character_order);
  MOE_CHECK(options.word_order >= 0, "chrF's word order must be at least 0, not {}.", options.word_order);
  MOE_CHECK(options.beta >= 1, "chrF's beta must be at least 1, not {}.", options.beta);
  ChrfStatistics sum(static_cast<std::size_t>(options.character_order + options.word_order));
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    add(sum, chrf_statistics(hypotheses[i], references_of(references, i), options));
  }
  return {score_chrf(sum, options.beta), chrf_name(options), chrf_signature(options, references.size())};
}

std::string chrf_signature(const ChrfOptions& options, std::size_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:yes|nc:{}|nw:{}|space:no|version:{}", references,
                     options.lowercase ? "lc" : "mixed", options.character_order, options.word_order,
                     sacrebleu_version);
}

}  // namespace moe
