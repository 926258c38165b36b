#pragma once
// The files of report/tables: each table for people (Markdown), for papers (LaTeX), and in full (CSV).

#include "harness/report/report_data.h"
#include "harness/results/result_set.h"

#include <filesystem>

namespace moe {

/// Writes results.{md,csv,tex}, and as far as there is something to say budgets.md, directions.{md,csv,tex} and
/// claims.{md,csv,tex}; what an earlier report left of these goes.
void write_tables(const ResultSet& results, const ReportData& data, const std::filesystem::path& folder);

}  // namespace moe
