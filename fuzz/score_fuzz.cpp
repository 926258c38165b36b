// Scores of any text: hypothesis and reference are the input's two halves, line by line. Scores stay in their range,
// and a text against itself is never worse than against another.
#include "core/text.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

#include <cstdlib>
#include <string_view>

namespace {

void check_range(double score) {
  if (!(score >= 0 && score <= 100.0 + 1e-9)) std::abort();
}

void check_scores(const std::vector<std::string>& hypotheses, const moe::References& references) {
  for (const auto tokenize : {moe::TextTokenizer::v13a, moe::TextTokenizer::international,
                              moe::TextTokenizer::character, moe::TextTokenizer::none}) {
    moe::BleuOptions options;
    options.tokenize = tokenize;
    for (const bool lowercase : {false, true}) {
      options.lowercase = lowercase;
      const double score = moe::corpus_bleu(hypotheses, references, options).score;
      check_range(score);
      if (score > moe::corpus_bleu(hypotheses, {hypotheses}, options).score + 1e-9) std::abort();
    }
  }
  moe::ChrfOptions options;
  for (const int order : {0, 2}) {
    options.word_order = order;
    check_range(moe::corpus_chrf(hypotheses, references, options).score);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (moe::first_invalid_utf8(text)) return 0;  // refused by the readers of text
  std::vector<std::string> lines = moe::split(text, '\n');
  if (lines.size() < 2) return 0;
  if (lines.size() % 2 == 1) lines.pop_back();
  const auto middle = lines.begin() + static_cast<std::ptrdiff_t>(lines.size() / 2);
  check_scores({lines.begin(), middle}, {{middle, lines.end()}});
  return 0;
}
