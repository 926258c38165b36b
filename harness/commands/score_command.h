#pragma once
// `moe-bench score`: BLEU and chrF of files of translations, and whether systems differ.

#include "metrics/comparison/significance.h"

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// What the command line asks for; the options have sacreBLEU's names and defaults.
struct ScoreRequest {
  std::vector<std::filesystem::path> references;  ///< at least one; line by line beside the hypotheses
  std::vector<std::filesystem::path> hypotheses;  ///< one for each system, at least one; the first is the baseline
  std::vector<std::string> metrics = {"bleu", "chrf"};
  std::string tokenize = "13a";        ///< BLEU: 13a | intl | char | none
  std::string smooth = "exp";          ///< BLEU: exp | floor | add-k | none
  std::optional<double> smooth_value;  ///< BLEU: of floor (0.1) and add-k (1)
  int word_order = 0;                  ///< chrF: longest word n-grams; 2 is chrF++
  bool lowercase = false;
  bool sentence_level = false;          ///< score each line instead of the file; of one system
  std::optional<PairedOptions> paired;  ///< compare two systems or more with the first
  bool json = false;
};

/// Writes one line for each metric, in the order asked for (for each metric and sentence when scoring sentences), or a
/// table of systems and metrics when there are several systems. With `json` one document {"results": [{"metric",
/// "score", "signature", ...}]} instead, whose entries have "line" (from 1) for sentences, "system" (the path) for
/// several systems, and "mean", "ci" (half the width) and "p_value" for a paired test; what a test does not give is
/// null. Throws Error (request_wrong) naming file and line for an unknown metric or option, options that exclude each
/// other, files of unequal length, invalid UTF-8, an empty reference. Lines are those of split_lines, whose notes go to
/// standard error.
void run_score(const ScoreRequest& request, std::ostream& out);

}  // namespace moe
