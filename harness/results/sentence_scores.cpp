#include "harness/results/sentence_scores.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "metrics/bleu.h"

#include <charconv>
#include <string>

namespace moe {
namespace {

constexpr std::size_t bleu_columns = 2 * bleu_order + 2;  // of BleuStatistics::summands
constexpr std::size_t chrf_columns = std::size_t{3} * 6;  // of summands_of(ChrfStatistics) for chrF2

/// Names in the order of the summands.
std::string header() {
  std::vector<std::string> names = {"nats", "calibrated_nats", "tokens", "bleu_hypothesis_length",
                                    "bleu_reference_length"};
  for (const char* kind : {"match", "hypothesis"}) {
    for (std::size_t n = 1; n <= bleu_order; ++n) names.push_back(fmt::format("bleu_{}_{}", kind, n));
  }
  for (std::size_t n = 1; n <= chrf_columns / 3; ++n) {
    for (const char* kind : {"hypothesis", "reference", "match"}) names.push_back(fmt::format("chrf_{}_{}", kind, n));
  }
  return join(names, ",");
}

/// Reads the numbers of a line, one after the other.
class LineReader {
 public:
  LineReader(std::string_view line, std::string place) : rest_(line), place_(std::move(place)) {}

  template <class Number>
  Number next() {
    Number number{};
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    MOE_CHECK(error == std::errc(), "{}: expected a number at \"{}\".", place_, rest_.substr(0, 20));
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    if (rest_.starts_with(',')) rest_.remove_prefix(1);
    return number;
  }
  void expect_end() const { MOE_CHECK(rest_.empty(), "{}: more columns than the header has.", place_); }

 private:
  std::string_view rest_;
  std::string place_;
};

}  // namespace

void write_sentence_scores(const std::filesystem::path& file, const std::vector<SentenceScore>& sentences) {
  std::string text = header() + "\n";
  for (const SentenceScore& sentence : sentences) {
    MOE_CHECK(sentence.bleu.size() == bleu_columns && sentence.chrf.size() == chrf_columns,
              "A sentence's scores have {} and {} numbers.", sentence.bleu.size(), sentence.chrf.size());
    text += fmt::format("{:.6f},{:.6f},{}", sentence.nats, sentence.calibrated_nats, sentence.tokens);
    for (const std::int64_t number : sentence.bleu) text += fmt::format(",{}", number);
    for (const std::int64_t number : sentence.chrf) text += fmt::format(",{}", number);
    text += '\n';
  }
  write_file(file, text);
}

std::vector<SentenceScore> read_sentence_scores(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  const std::vector<std::string> lines = split(text, '\n');
  MOE_CHECK(lines.front() == header() && text.ends_with('\n'), "{}: is no file of sentence scores, or cut.",
            file.string());
  std::vector<SentenceScore> sentences;
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
    LineReader line(lines[i], fmt::format("{}:{}", file.string(), i + 1));
    SentenceScore& sentence = sentences.emplace_back();
    sentence.nats = line.next<double>();
    sentence.calibrated_nats = line.next<double>();
    sentence.tokens = line.next<std::int64_t>();
    for (std::size_t n = 0; n < bleu_columns; ++n) sentence.bleu.push_back(line.next<std::int64_t>());
    for (std::size_t n = 0; n < chrf_columns; ++n) sentence.chrf.push_back(line.next<std::int64_t>());
    line.expect_end();
  }
  return sentences;
}

}  // namespace moe
