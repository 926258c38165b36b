#pragma once
// Runs of a sweep by several ranks together, one run after the other: the first rank reads the sweep, keeps its files
// and speaks to the user, and the others do what it says.

#include "harness/run/run_worker.h"
#include "parallel/communicator.h"

#include <string>

namespace moe {

/// How a run ended that ranks shared.
struct SharedRunEnd {
  ExitStatus status = ExitStatus::success;  ///< success, interrupted or runs_failed
  std::string failure;                      ///< the sentence of a run that failed
};

/// On the first rank: starts the run on all ranks and returns when it has ended. What one rank alone met with ends the
/// whole job.
SharedRunEnd run_on_all_ranks(const WorkerRequest& request, Communicator& ranks, const ProgressListener& listener);

/// On the first rank, at the end of its command: lets the others go, with its status.
void dismiss_ranks(Communicator& ranks, ExitStatus status);

/// On the others: takes part in each run until the first rank lets them go. Returns its status.
ExitStatus follow_first_rank(Communicator& ranks);

}  // namespace moe
