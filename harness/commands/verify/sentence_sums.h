#pragma once
// Scores against what the files of single sentences add up to: tests over sentences rest on them.

#include "harness/commands/verify/rescoring.h"

namespace moe {

/// Adds up every file of sentence scores of a result, and notes where the sum is not the score: BLEU and chrF of each
/// draw to 1e-9, the losses to the accuracy of the file.
void check_sentence_sums(const ResultInFolder& result, RunFindings& findings);

}  // namespace moe
