#include "metrics/comparison/row_scores.h"

#include "core/error.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "tests/metrics/sentences.h"
#include "tests/support/catch.h"

#include <cmath>

namespace moe {
namespace {

/// Sum of the rows of `hypotheses`.
template <typename SummandsOf>
SentenceRow sum_of_rows(const SummandsOf& summands) {
  SentenceRow sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const SentenceRow row = row_of(summands(hypotheses[i], references_of(two_references, i)));
    sum.resize(row.size());
    for (std::size_t j = 0; j < row.size(); ++j) sum[j] += row[j];
  }
  return sum;
}

}  // namespace

TEST_CASE("rows add up to the corpus's BLEU", "[metrics][row_scores]") {
  const SentenceRow sum = sum_of_rows(
      [](const auto& hypothesis, const auto& targets) { return bleu_statistics(hypothesis, targets, {}).summands(); });
  CHECK(bleu_of_row(sum) == corpus_bleu(hypotheses, two_references).score);
}

TEST_CASE("rows add up to the corpus's chrF, with words or without", "[metrics][row_scores]") {
  for (const int word_order : {0, 2}) {
    ChrfOptions options;
    options.word_order = word_order;
    const SentenceRow sum = sum_of_rows([&](const auto& hypothesis, const auto& targets) {
      return summands_of(chrf_statistics(hypothesis, targets, options));
    });
    CHECK(chrf_of_row(sum) == corpus_chrf(hypotheses, two_references, options).score);
  }
}

TEST_CASE("a loss is nats per token", "[metrics][row_scores]") {
  CHECK(loss_of_row({3.5, 7}) == 0.5);
  CHECK_THROWS_AS(loss_of_row({0, 0}), Error);
}

TEST_CASE("counts stay what they are", "[metrics][row_scores]") {
  CHECK(row_of({1, 0, (std::int64_t{1} << 53) - 1}) == SentenceRow{1, 0, std::pow(2.0, 53) - 1});
}

}  // namespace moe
