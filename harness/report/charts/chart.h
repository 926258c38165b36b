#pragma once
// A chart is one file: it says what it is called and turns the results into a Vega-Lite specification.
//
// A new chart is its file, here or in a folder below, with `Chart NAME_chart()`, and its line in charts.cpp.

#include "harness/report/report_data.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Where on the page a chart stands, in the order of the page.
enum class Section {
  verdicts,
  efficiency,  ///< what scores cost
  results,     ///< scores by language pair, number of experts, data and time
  why,         ///< how the experts were used
  thor,
  cost,  ///< speed and memory
};

struct Chart {
  std::string name;  ///< of its files, report/charts/NAME.svg
  Section section = Section::results;
  std::string title;    ///< what is shown, no claim
  std::string caption;  ///< how to read it, in whole sentences
  /// A complete Vega-Lite specification; nothing when the results have nothing to show.
  std::function<std::optional<Json>(const ReportData&)> specification;
};

/// All charts, in the order of the report.
const std::vector<Chart>& all_charts();

}  // namespace moe
