#pragma once
// How long each configuration takes to translate, as `moe-bench latency` measured it.

#include "harness/report/tables/results_table.h"

#include <string>
#include <vector>

namespace moe {

/// A row a configuration whose runs were all measured, a mean over the seeds in each cell; no rows where there is none.
TextTable latency_table(const ResultsTable& table);

/// What was measured, and on what machine; only of a table that has rows.
std::vector<std::string> latency_notes(const ResultsTable& table);

}  // namespace moe
