#pragma once
// BLEU on the test sets against what it costs: one chart for each kind of cost.

#include "harness/report/charts/chart.h"

#include <optional>
#include <string>

namespace moe {

/// A cost of a configuration, and what a chart says of it.
struct CostAxis {
  std::string name;   ///< of the chart and its files
  std::string title;  ///< "total parameters"
  std::optional<double> (*cost)(const TableRow& row);
  bool more_is_better = false;  ///< of a speed
  bool first = false;           ///< drawn even where all costs are alike
  bool timed = false;        ///< it depends on the machine, and is compared only where that is one and runs were alone
  std::string caption = {};  ///< beside what holds for all of these charts
};

/// One line a strategy over its numbers of experts, with intervals over seeds, the noise floor as a grey band, and the
/// Pareto front. Nothing where no finished run has scores and the cost.
Chart efficiency_chart(const CostAxis& axis);

/// The mean over the runs of a row; nothing where one lacks the figure.
std::optional<double> mean_over_runs(const TableRow& row, std::optional<double> (*figure)(const RunResult& run));

}  // namespace moe
