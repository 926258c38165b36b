#pragma once
// Two sets of results side by side: the same configurations before and after something changed.

#include "harness/results/result_set.h"

#include <string>

namespace moe {

/// Markdown: a table of the configurations that stand in both sets (equal in all settings that both know but the seed)
/// with scores, their difference, sizes and speed; then those that stand in one alone, and where the settings of the
/// same strategy differ. Where both have two seeds or more, the difference has a 95 % interval.
std::string compare_results(const ResultSet& before, const ResultSet& after);

}  // namespace moe
