#pragma once
// Scores of a result, computed again from the translations that stand beside it.

#include "harness/commands/verify/findings.h"
#include "harness/commands/verify/reference_texts.h"
#include "harness/results/record.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// A result with the file that it was read from.
struct ResultInFolder {
  std::filesystem::path folder;
  std::filesystem::path file;
  RunRecord record;
};

/// The lines of a file of translations as a run wrote them. Throws Error (request_wrong) when it cannot be read.
std::vector<std::string> read_translations(const std::filesystem::path& file);

/// Compares BLEU, chrF and word accuracy of every draw of every test set. Where there are no references, the scores
/// count as only read.
void check_scores(const ResultInFolder& result, ReferenceTexts& references, RunFindings& findings);

}  // namespace moe
