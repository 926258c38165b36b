#pragma once
// `moe-bench score`: BLEU and chrF of a file of translations.

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace moe {

/// What the command line asks for; the options have sacreBLEU's names and defaults.
struct ScoreRequest {
  std::vector<std::filesystem::path> references;  ///< at least one; line by line beside the hypothesis
  std::filesystem::path hypothesis;
  std::vector<std::string> metrics = {"bleu", "chrf"};
  std::string tokenize = "13a";  ///< BLEU: 13a | none
  std::string smooth = "exp";    ///< BLEU: exp | none
  int word_order = 0;            ///< chrF: longest word n-grams; 2 is chrF++
  bool lowercase = false;
  bool json = false;
};

/// Writes one line for each metric, in the order asked for, or with `json` one document
/// {"results": [{"metric", "score", "signature", ...}]}. Throws Error (request_wrong) naming file and line for an
/// unknown metric or option, files of unequal length, invalid UTF-8, an empty reference. Lines are split at U+000A
/// alone, and a final newline ends the last line.
void run_score(const ScoreRequest& request, std::ostream& out);

}  // namespace moe
