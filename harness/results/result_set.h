#pragma once
// The results of one or several sweeps as tables and charts see them: read strictly from result.json, never changed.

#include "harness/results/run_result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

struct ResultSet {
  std::string name;                      ///< of the sweep, or of all of them
  std::vector<Json> sweeps;              ///< sweep.json of each folder that has one
  std::vector<RunResult> runs;           ///< in display order: router, strategy, experts, setting, seed
  std::vector<std::string> axes;         ///< dotted keys that differ between runs, `training.seed` among them
  std::vector<std::string> unfinished;   ///< folders of runs without a result
  std::vector<std::string> not_begun;    ///< names of runs that the sweeps plan and that no folder has
  std::vector<std::string> left_out;     ///< why results could not be read, a sentence each with file and JSON path
  std::vector<std::string> differences;  ///< in what several folders differ beyond their axes, a sentence each
  std::int64_t repeated = 0;             ///< results left out because another folder has the same run

  /// Runs without a result, begun or not.
  std::size_t missing() const { return unfinished.size() + not_begun.size(); }

  /// The result of that run, or null.
  const RunResult* find(const std::string& run_id) const;
};

/// Reads FOLDER/runs/*/result.json of every folder. `routers` is the display order; a router that it lacks comes after
/// those it has. Of a run that stands in several folders a finished result is kept, else the first. A result that is
/// broken or not of this program is left out and named. Of a sweep.json that this program would run, runs that no
/// folder has are named too. Throws (request_wrong) for a folder without runs/.
ResultSet read_results(const std::vector<std::filesystem::path>& folders, const std::vector<std::string>& routers);

/// FOLDER/runs/*, in alphabetical order. Throws (request_wrong) for a folder without runs/.
std::vector<std::filesystem::path> folders_of_runs(const std::filesystem::path& folder);

/// What a report leaves out, a sentence each: results that could not be read, runs without one, and runs that were
/// not begun. Then the differences.
std::vector<std::string> remarks_on(const ResultSet& results);

/// Digest of all result files, sweeps (their claims) and of what is missing: equal digests make equal reports.
std::string digest_of(const ResultSet& results);

}  // namespace moe
