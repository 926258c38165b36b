#pragma once
// BLEU, chrF and loss of rows that were added up over sentences, for metrics/comparison/paired_bootstrap.h.

#include "metrics/comparison/paired_bootstrap.h"
#include "metrics/sacrebleu.h"

namespace moe {

/// Counts as numbers with a fraction, which hold whole numbers to 2^53 exactly.
SentenceRow row_of(const Summands& summands);

/// BLEU, 0 to 100, with the default options, of the sum of rows of BleuStatistics::summands().
double bleu_of_row(const SentenceRow& sum);

/// chrF, 0 to 100, with the default beta, of the sum of rows of summands_of(ChrfStatistics). Any orders.
double chrf_of_row(const SentenceRow& sum);

/// Nats per token of a sum {nats, tokens}. Throws unless there is a token.
double loss_of_row(const SentenceRow& sum);

}  // namespace moe
