#pragma once
// The report of a sweep, from results alone.

#include "harness/process/file_lock.h"
#include "harness/results/result_set.h"
#include "harness/verdicts/verdict.h"

#include <filesystem>
#include <vector>

namespace moe {

/// Writes below `out`: summary.json, summary.csv, report/index.html, report/tables/ and
/// report/charts/NAME.{vl.json,svg,png}. What is left out of the results is said in the report. What an earlier report
/// left and these results do not have is removed. Charts that cannot be drawn leave a sentence in the report and on
/// standard error, and their specifications. `verdicts`: on the claims of the sweep, in their order; none where nothing
/// is claimed.
void write_report(const ResultSet& results, const std::vector<Verdict>& verdicts, const std::filesystem::path& out);

/// Whoever writes a report into `out` holds this from before the results are read: of two at a time, the second then
/// sees all that the first saw. Makes the folder and waits for others.
FileLock lock_report(const std::filesystem::path& out);

/// write_report with the verdicts on the claims of the results' sweeps. How often a claim was looked at before is read
/// from the summary.json that stands in `out`.
void write_report_with_verdicts(const ResultSet& results, const std::filesystem::path& out);

}  // namespace moe
