#pragma once
// Test BLEU by language pair: a row for each configuration, a column for each direction of translation.

#include "harness/report/tables/text_table.h"
#include "harness/results/result_set.h"

#include <string>
#include <vector>

namespace moe {

/// Whether one model translates all directions or each has a model of its own. A cell is the mean over seeds of the
/// mean over the test sets, with the standard deviation over seeds. Fewer than two directions: the table has no rows.
TextTable direction_table(const ResultSet& results);

/// What its figures are, a sentence each.
std::vector<std::string> direction_notes();

}  // namespace moe
