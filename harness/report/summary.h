#pragma once
// summary.json and summary.csv: the figures of every run, and of every configuration, for other programs.

#include "harness/report/report_data.h"

#include <string>

namespace moe {

/// {"schema_version", "name", "axes", "unfinished", "runs": [...], "groups": [...], "claims": [...]}. A run's object is
/// flat, but for null where a figure is missing; a group has the same names with {"mean", "sd", "n", "low", "high"};
/// claims are those of claims_table.h.
Json summary_json(const ResultSet& results, const ReportData& data);

/// One line per run with every axis that varies and the main figures: the run objects of summary_json.
std::string summary_csv(const ResultSet& results, const ResultsTable& table);

}  // namespace moe
