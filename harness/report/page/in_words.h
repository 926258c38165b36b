#pragma once
// What the results say, in a few sentences: those of the verdicts, never stronger than they are.

#include "harness/report/report_data.h"

#include <optional>
#include <string>
#include <vector>

namespace moe {

/// One sentence, or a few that belong together.
struct Statement {
  std::string text;
  std::optional<VerdictKind> verdict;  ///< none: it is about all
};

/// Three to six statements: what was decided, then what was not and what would decide it, then what could not be
/// tested and why; a count of the claims before them. Without claims: how sure differences of the tables are.
std::vector<Statement> in_words(const ReportData& data);

}  // namespace moe
