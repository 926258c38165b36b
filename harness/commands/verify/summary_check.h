#pragma once
// summary.json against what the results of its folder give.

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

struct SummaryCheck {
  std::string state;                  ///< "as the results give", "differs", "absent", or why it was not compared
  std::vector<std::string> problems;  ///< with file and JSON path
};

/// Makes the summary of a folder again and compares what it and the file both have: another version may know more
/// figures, or fewer. A summary of several merged folders is only read, and so is one beside results that cannot be.
SummaryCheck check_summary(const std::filesystem::path& folder);

}  // namespace moe
