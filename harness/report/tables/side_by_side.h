#pragma once
// Whether runs shared their machine: what they measured of time then says nothing about them.

#include "harness/results/run_result.h"

#include <vector>

namespace moe {

/// True where a run says that others of its sweep worked beside it. Runs of older versions do not say; of these it is
/// true where two worked at the same time on a machine of one description.
bool worked_side_by_side(const std::vector<RunResult>& runs);

}  // namespace moe
