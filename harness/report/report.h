#pragma once
// The report of a sweep, from result files alone.

#include <filesystem>
#include <vector>

namespace moe {

/// Reads the results of all folders (see read_results) and writes below `out`:
/// summary.json, summary.csv, report/index.html, report/tables/results.{md,csv} and
/// report/charts/NAME.{vl.json,svg,png}. Charts that cannot be drawn leave a sentence in the report and on standard
/// error, and their specifications. Throws Error for results that cannot be read.
void write_report(const std::vector<std::filesystem::path>& result_folders, const std::filesystem::path& out);

}  // namespace moe
