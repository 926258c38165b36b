#pragma once
// The report as one HTML page that opens offline: no script, no network, charts as inline SVG.

#include "harness/report/results_table.h"

#include <string>
#include <vector>

namespace moe {

/// A chart as the page shows it.
struct DrawnChart {
  std::string name;
  std::string title;
  std::string caption;
  std::string svg;  ///< empty: not drawn
};

/// A line of the page that tells the results and the program that it was made from and with: a page that has it is
/// current, whatever the clock says.
std::string report_mark(const ResultSet& results);

/// The whole page. `drawing_failure` is the sentence that says why charts were not drawn; empty: they were.
std::string html_report(const ResultSet& results, const ResultsTable& table, const std::vector<DrawnChart>& charts,
                        const std::string& drawing_failure);

}  // namespace moe
