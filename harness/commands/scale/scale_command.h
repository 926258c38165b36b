#pragma once
// `moe-bench scale`: what the MoE layers of a run would cost on the ranks of a cluster, by a model on paper.

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <vector>

namespace moe {

struct ScaleRequest {
  std::filesystem::path result;     ///< result.json
  std::filesystem::path machine;    ///< cluster_file.h
  std::filesystem::path out;        ///< folder of charts; empty: none are written
  std::vector<std::int64_t> ranks;  ///< empty: doubled_ranks up to most_ranks
  std::int64_t most_ranks = 1024;
  std::optional<std::int64_t> tokens, top_k, width, hidden;  ///< none: the run's
};

/// Writes the table to `out`, and NAME.vl.json, NAME.svg and NAME.png of the charts where a folder is named; why they
/// could not be drawn goes to `notes`. Throws Error for files that are wrong, and for numbers of ranks that are neither
/// within a node nor whole nodes.
void run_scale(const ScaleRequest& request, std::ostream& out, std::ostream& notes);

}  // namespace moe
