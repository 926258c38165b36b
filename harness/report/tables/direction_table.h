#pragma once
// Test BLEU by language pair: a row for each configuration, a column for each direction of translation.

#include "harness/report/tables/results_table.h"

#include <string>
#include <vector>

namespace moe {

/// Whether one model translates all directions or each has a model of its own. A cell is the mean over seeds of the
/// mean over the test sets, with the standard deviation over seeds. A star marks what differs
/// from the baseline (baseline.h) in that direction. Fewer than two directions: the table has no rows.
TextTable direction_table(const ResultSet& results, const ResultsTable& table);

/// What its figures are, a sentence each.
std::vector<std::string> direction_notes();

}  // namespace moe
