#pragma once
// The report as one HTML page that opens offline: no network, charts as inline SVG, and whole without its script.

#include "harness/report/page/html_parts.h"
#include "harness/report/report_data.h"

#include <string>
#include <vector>

namespace moe {

/// A line of the page that tells the results and the program that it was made from and with: a page that has it is
/// current, whatever the clock says.
std::string report_mark(const ResultSet& results);

/// The whole page. `drawing_failure` is the sentence that says why charts were not drawn; empty: they were.
std::string html_report(const ResultSet& results, const ReportData& data, const std::vector<DrawnChart>& charts,
                        const std::string& drawing_failure);

}  // namespace moe
