#include "harness/score_command.h"

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>

namespace moe {
namespace {

using Lines = std::vector<std::string>;

struct TextFile {
  std::filesystem::path path;
  Lines lines;
};

/// A metric's result in both forms of output.
struct ScoredMetric {
  Json json;
  std::string line;
};

struct MetricEntry {
  std::string name;
  ScoredMetric (*score)(const ScoreRequest& request, const Lines& hypotheses, const References& references);
};

BleuOptions bleu_options(const ScoreRequest& request) {
  return {request.lowercase, tokenizer_named(request.tokenize), smoothing_named(request.smooth)};
}

ScoredMetric score_with_bleu(const ScoreRequest& request, const Lines& hypotheses, const References& references) {
  const BleuScore bleu = corpus_bleu(hypotheses, references, bleu_options(request));
  const double ratio = bleu.reference_length == 0
                           ? 0
                           : static_cast<double>(bleu.system_length) / static_cast<double>(bleu.reference_length);
  ScoredMetric result;
  result.line = fmt::format("BLEU|{} = {:.2f} {:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})",
                            bleu.signature, bleu.score, fmt::join(bleu.precisions, "/"), bleu.brevity_penalty, ratio,
                            bleu.system_length, bleu.reference_length);
  result.json = {{"metric", "bleu"},
                 {"score", bleu.score},
                 {"signature", bleu.signature},
                 {"brevity_penalty", bleu.brevity_penalty},
                 {"system_length", bleu.system_length},
                 {"reference_length", bleu.reference_length},
                 {"counts", bleu.counts},
                 {"totals", bleu.totals}};
  return result;
}

ScoredMetric score_with_chrf(const ScoreRequest& request, const Lines& hypotheses, const References& references) {
  ChrfOptions options;
  options.lowercase = request.lowercase;
  options.word_order = request.word_order;
  const ChrfScore chrf = corpus_chrf(hypotheses, references, options);
  return {{{"metric", "chrf"}, {"score", chrf.score}, {"signature", chrf.signature}},
          fmt::format("{}|{} = {:.2f}", chrf.name, chrf.signature, chrf.score)};
}

const std::vector<MetricEntry>& metric_entries() {
  static const std::vector<MetricEntry> entries = {{"bleu", score_with_bleu}, {"chrf", score_with_chrf}};
  return entries;
}

const MetricEntry& metric_named(const std::string& name) {
  const auto& entries = metric_entries();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  MOE_CHECK(found != entries.end(), "--metric {}: there is no such metric; there are bleu and chrf.", name);
  return *found;
}

TextFile read_text(const std::filesystem::path& path) {
  std::string text = read_file(path);
  if (const auto offset = first_invalid_utf8(text)) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*offset), '\n');
    throw Error(fmt::format("{}:{}: is not valid UTF-8.", path.string(), line));
  }
  if (text.empty()) return {path, {}};
  if (text.back() == '\n') text.pop_back();
  return {path, split(text, '\n')};
}

/// Throws unless both files have the same number of lines, naming the line that the shorter one lacks.
void check_line_counts(const TextFile& hypothesis, const TextFile& reference) {
  MOE_CHECK(!reference.lines.empty(), "{}:1: the reference is empty.", reference.path.string());
  const auto fewer = [](const TextFile& a, const TextFile& b) { return a.lines.size() < b.lines.size(); };
  const auto [shorter, longer] = std::minmax(hypothesis, reference, fewer);
  MOE_CHECK(shorter.lines.size() == longer.lines.size(), "{}:{}: ends after {} lines, but {} has {}.",
            shorter.path.string(), shorter.lines.size() + 1, shorter.lines.size(), longer.path.string(),
            longer.lines.size());
}

}  // namespace

void run_score(const ScoreRequest& request, std::ostream& out) {
  MOE_CHECK(!request.references.empty(), "score needs a --reference.");
  MOE_CHECK(!request.metrics.empty(), "score needs a --metric.");
  bleu_options(request);  // a wrong name is reported before any file is read
  std::vector<MetricEntry> metrics;
  for (const std::string& name : request.metrics) metrics.push_back(metric_named(name));

  const TextFile hypothesis = read_text(request.hypothesis);
  References references;
  for (const std::filesystem::path& path : request.references) {
    TextFile reference = read_text(path);
    check_line_counts(hypothesis, reference);
    references.push_back(std::move(reference.lines));
  }

  Json results = Json::array();
  for (const MetricEntry& metric : metrics) {
    const ScoredMetric scored = metric.score(request, hypothesis.lines, references);
    if (request.json) {
      results.push_back(scored.json);
    } else {
      out << scored.line << '\n';
    }
  }
  if (request.json) out << format_json({{"results", results}});
}

}  // namespace moe
