// BLEU on the test sets against the seconds of training.

#include "harness/report/charts/efficiency/efficiency.h"

namespace moe {
namespace {

std::optional<double> training_seconds(const RunResult& run) {
  const auto& seconds = run.measurements.seconds;
  return seconds && seconds->training > 0 ? std::optional(seconds->training) : std::nullopt;
}

}  // namespace

Chart time_efficiency_chart() {
  return efficiency_chart({.name = "time_efficiency",
                           .title = "training seconds",
                           .cost = [](const TableRow& row) { return mean_over_runs(row, training_seconds); },
                           .timed = true,
                           .caption = "Seconds are of training, without validation and tests, and depend on whatever "
                                      "else the machine did."});
}

}  // namespace moe
