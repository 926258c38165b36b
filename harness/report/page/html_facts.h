#pragma once
// What the page says about how its numbers were made: configuration, definitions, machine, versions, tuning, citation.

#include "harness/results/result_set.h"

#include <cstddef>
#include <string>

namespace moe {

/// "3 finished, 1 failed, 2 not finished yet".
std::string counts_text(const ResultSet& results);

/// How many different machines, or settings of one, the runs were measured on.
std::size_t machine_count(const ResultSet& results);

/// The section of the page.
std::string how_section(const ResultSet& results);

}  // namespace moe
