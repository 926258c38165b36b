#pragma once
// Ranks that are threads of one process: for tests of faults, delays and lost ranks, and for measurements without a
// launcher.

#include "parallel/communicator.h"

#include <functional>

namespace moe {

/// Runs `work` on so many ranks, each a thread, and returns when all have ended. A rank that throws ends the others,
/// who throw its sentence in the collective where they wait; what the first rank to fail threw is thrown here.
void run_on_threads(int ranks, double deadline_seconds, const std::function<void(Communicator&)>& work);

}  // namespace moe
