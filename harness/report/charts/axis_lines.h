#pragma once
// BLEU on the test sets against a number that differs between runs: one chart for each such number.

#include "harness/report/charts/chart.h"

#include <optional>
#include <string>
#include <vector>

namespace moe {

struct NumberAxis {
  std::string name;   ///< of the chart and its files
  std::string title;  ///< of the axis: "number of experts"
  std::optional<double> (*value)(const TableRow& row);
  std::vector<std::string> keys;  ///< dotted keys that hold it, and make no panels of their own; none: strategies do
  bool largest = false;           ///< of each strategy only the largest number of experts
  std::string caption;
};

/// One line a strategy, with intervals over seeds. Nothing where no strategy has two values of the number.
Chart axis_lines_chart(const NumberAxis& axis);

}  // namespace moe
