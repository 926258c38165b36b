#pragma once
// Strategies at equal budgets: equal updates, equal training FLOPs, equal training time, from the validations of each
// run.

#include "harness/report/tables/results_table.h"

namespace moe {

/// A row for each configuration with its validation BLEU where the cheapest configuration on the same data ends: at
/// that number of updates, FLOPs and seconds. Between two validations BLEU is interpolated along a line; a budget
/// before the first validation has none. Where there is nothing to compare, the table has no rows.
TextTable budget_table(const ResultsTable& table);

/// What the table's figures are, a sentence each.
std::vector<std::string> budget_notes(const ResultsTable& table);

}  // namespace moe
