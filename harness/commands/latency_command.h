#pragma once
// `moe-bench latency`: how long trained runs take to translate, one sentence at a time and many at once.

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace moe {

struct LatencyRequest {
  std::vector<std::filesystem::path> folders;  ///< of results
  std::int64_t sentences = 200;                ///< translated one at a time
  std::int64_t threads = 1;
  std::string device = "cpu";
};

/// Measures every finished run of the folders, one after the other, with the sources of its first test set and its own
/// beam, and writes latency.json beside each result, in place of an earlier one. A run without a checkpoint is named in
/// `notes` and left out, and so is a busy machine. Throws Error (request_wrong) for a folder without runs and where no
/// run could be measured, and Error (runs_failed) where the data are no longer those of the run.
void run_latency(const LatencyRequest& request, std::ostream& out, std::ostream& notes);

}  // namespace moe
