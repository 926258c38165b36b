#include "metrics/comparison/row_scores.h"

#include "core/error.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"

#include <cmath>

namespace moe {
namespace {

Summands summands_of_row(const SentenceRow& row) {
  Summands summands;
  summands.reserve(row.size());
  for (const double value : row) summands.push_back(std::llround(value));
  return summands;
}

}  // namespace

SentenceRow row_of(const Summands& summands) {
  return {summands.begin(), summands.end()};
}

double bleu_of_row(const SentenceRow& sum) {
  return score_bleu(BleuStatistics::of(summands_of_row(sum)), {}).score;
}

double chrf_of_row(const SentenceRow& sum) {
  return score_chrf(chrf_statistics_of(summands_of_row(sum)), ChrfOptions{}.beta);
}

double loss_of_row(const SentenceRow& sum) {
  MOE_CHECK(sum[1] > 0, "A loss per token needs at least one token.");
  return sum[0] / sum[1];
}

}  // namespace moe
