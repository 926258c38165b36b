#pragma once
// `moe-bench slurm`: a sweep as jobs of Slurm.

#include "core/error.h"
#include "harness/cluster/job_scripts.h"

#include <iosfwd>

namespace moe {

struct SlurmRequest {
  SweepJob job;  ///< as given: paths may be relative, no results mean results/NAME, and no shards one for each run
  bool submit = false;
};

/// Checks the sweep as `validate` does, and writes into the folder `slurm` of the results: the array, the job of the
/// report, and the page that says how to submit them. With `submit`, does so and prints the numbers of the jobs.
/// Returns request_wrong for a sweep with errors, which go to `errors`. Throws Error for a request that cannot be met.
ExitStatus run_slurm(const SlurmRequest& request, std::ostream& out, std::ostream& errors);

}  // namespace moe
