#pragma once
// A chart is one file: it says what it is called and turns the results into a Vega-Lite specification.
//
// A new chart is its file, with `Chart NAME_chart()`, and its line in charts.cpp.

#include "harness/report/results_table.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moe {

struct Chart {
  std::string name;     ///< of its files, report/charts/NAME.svg
  std::string title;    ///< what is shown, no claim
  std::string caption;  ///< how to read it, in whole sentences
  /// A complete Vega-Lite specification; nothing when the results have nothing to show.
  std::function<std::optional<Json>(const ResultsTable&)> specification;
};

/// All charts, in the order of the report.
const std::vector<Chart>& all_charts();

}  // namespace moe
