#pragma once
// The results of one or several sweeps as tables and charts see them: read strictly from result.json, never changed.

#include "harness/results/run_result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

struct ResultSet {
  std::string name;               ///< of the sweep, or of all of them
  std::vector<RunResult> runs;    ///< in display order: router, strategy, experts, setting, seed
  std::vector<std::string> axes;  ///< dotted keys that differ between runs, `training.seed` among them
  std::int64_t unfinished = 0;    ///< runs without a result
  std::int64_t repeated = 0;      ///< results left out because another folder has the same run

  /// The result of that run, or null.
  const RunResult* find(const std::string& run_id) const;
};

/// Reads FOLDER/runs/*/result.json of every folder. `routers` is the display order; a router that it lacks comes after
/// those it has. Of a run that stands in several folders a finished result is kept, else the first. Throws
/// (request_wrong) naming file and JSON path for a result that cannot be read, and for a folder without runs/.
ResultSet read_results(const std::vector<std::filesystem::path>& folders, const std::vector<std::string>& routers);

/// Digest of all result files and of what is missing: equal digests make equal reports.
std::string digest_of(const ResultSet& results);

}  // namespace moe
