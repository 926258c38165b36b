#pragma once
// Names of the runs of a sweep for people.

#include "harness/sweep/run_spec.h"

#include <string>
#include <vector>

namespace moe {

/// "thor (consistency 0), 4 experts, dropout 0.1, seed 1": the strategy, what else differs between the runs, and the
/// seed. Different runs have different names.
std::vector<std::string> run_names(const std::vector<RunSpec>& runs);

}  // namespace moe
