// BLEU on the test sets against the speed of decoding them.

#include "harness/report/charts/efficiency/efficiency.h"

namespace moe {
namespace {

std::optional<double> decoding_speed(const RunResult& run) {
  return run.measurements.decoded_sentences_per_second;
}

}  // namespace

Chart decoding_efficiency_chart() {
  return efficiency_chart({.name = "decoding_efficiency",
                           .title = "decoded sentences per second",
                           .cost = [](const TableRow& row) { return mean_over_runs(row, decoding_speed); },
                           .more_is_better = true,
                           .timed = true,
                           .caption = "More to the right is faster here."});
}

}  // namespace moe
