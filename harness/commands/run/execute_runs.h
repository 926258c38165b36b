#pragma once
// The runs of a sweep that are to be done: in processes of their own, on GPUs, or by ranks that share each.

#include "core/error.h"
#include "harness/commands/run/run_request.h"
#include "harness/run/sweep_plan.h"
#include "harness/sweep/parallel_settings.h"

#include <cstddef>
#include <vector>

namespace moe {

/// Runs those of the plan that are missing, and shows their progress among all `runs`. Each that fails leaves a failed
/// result. Returns the worst status of all, or interrupted.
ExitStatus execute_runs(const SweepPlan& plan, const std::vector<PlannedRun>& missing, std::size_t runs,
                        const RunRequest& request, const ParallelSettings& parallel);

}  // namespace moe
