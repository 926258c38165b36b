#pragma once
// `moe-bench run`: runs what is missing of a sweep, then writes summary and report.

#include "core/error.h"
#include "harness/commands/run/run_request.h"
#include "harness/results/result_set.h"
#include "harness/run/sweep_plan.h"
#include "harness/sweep/sweep.h"

#include <filesystem>
#include <iosfwd>

namespace moe {

/// What became of a sweep.
struct SweepOutcome {
  ExitStatus status = ExitStatus::success;
  SweepPlan plan;     ///< empty after a dry run
  ResultSet results;  ///< of the whole folder; empty after a dry run or an interruption
};

/// Runs what is missing of a sweep that was read, in `folder`, as run_sweep does. Summary and report are written once
/// every run of the sweep has a result there: by the last shard.
SweepOutcome execute_sweep(const Sweep& sweep, const RunRequest& request, const std::filesystem::path& folder,
                           std::ostream& out);

/// Runs the sweep; the table of results and the path of the report go to `out`. Returns runs_failed when some run
/// failed, interrupted after a signal.
ExitStatus run_sweep(const RunRequest& request, std::ostream& out);

}  // namespace moe
