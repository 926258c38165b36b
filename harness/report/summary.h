#pragma once
// summary.json and summary.csv: the figures of every run, and of every configuration, for other programs.

#include "harness/report/results_table.h"

#include <string>

namespace moe {

/// {"schema_version", "name", "axes", "unfinished", "runs": [...], "groups": [...]}. A run's object is flat, but for
/// null where a figure is missing; a group has the same names with {"mean", "sd", "n", "low", "high"}.
Json summary_json(const ResultSet& results, const ResultsTable& table);

/// One line per run with every axis that varies and the main figures: the run objects of summary_json.
std::string summary_csv(const ResultSet& results, const ResultsTable& table);

}  // namespace moe
