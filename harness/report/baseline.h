#pragma once
// Every configuration against `dense`: the marks of the results table.

#include "harness/report/tables/results_table.h"

namespace moe {

/// Fills TableRow::against_baseline, and against_baseline_in, of all rows that have a partner: the row "dense" on the
/// same data, in the same model and training but for what the sweep's overrides set for a strategy.
void compare_with_baseline(const ResultSet& results, ResultsTable& table);

/// "+1.92 *": the mean difference of BLEU, with a star where it is real.
std::string format_against_baseline(const TableRow& row);

/// True where a row differs from the baseline in a language pair beyond chance.
bool differs_from_baseline(const TableRow& row, const std::string& direction);

/// True when some row was tested against the baseline.
bool has_baseline_test(const ResultsTable& table);

}  // namespace moe
