#pragma once
// The report of a sweep, from results alone.

#include "harness/results/result_set.h"

#include <filesystem>

namespace moe {

/// Writes below `out`:
/// summary.json, summary.csv, report/index.html, report/tables/results.{md,csv} and
/// report/charts/NAME.{vl.json,svg,png}. Charts that cannot be drawn leave a sentence in the report and on standard
/// error, and their specifications.
void write_report(const ResultSet& results, const std::filesystem::path& out);

}  // namespace moe
