#pragma once
// `moe-bench import`: translations of another program as rows of a table, marked so.

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace moe {

struct ImportRequest {
  std::filesystem::path out;  ///< folder of results; made where there is none
  std::string label;          ///< what charts and tables call it
  std::string direction;      ///< SOURCE-TARGET
  std::string set;
  std::filesystem::path reference;
  std::vector<std::filesystem::path> hypotheses;  ///< of one system, one for each seed, which count from 1
  std::optional<std::int64_t> parameters;         ///< total; all of them count as active
  std::string source;                             ///< where the translations come from; empty: nothing is said
};

/// Scores the translations and writes a folder with a result.json of status `imported` and a copy of the lines for each
/// of them below OUT/runs. Throws Error (request_wrong) for a request or a file that is wrong, a label that was
/// imported before, and a reference that cannot be the one that OUT's runs are scored against; then nothing is written.
/// Remarks on the files go to `notes`.
void run_import(const ImportRequest& request, std::ostream& out, std::ostream& notes);

}  // namespace moe
