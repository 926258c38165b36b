// BLEU on the test sets against the number of experts.

#include "harness/report/charts/axis_lines.h"

namespace moe {

Chart experts_chart() {
  return axis_lines_chart({.name = "experts",
                           .title = "number of experts",
                           .value = [](const TableRow& row) { return std::optional(static_cast<double>(row.experts)); },
                           .keys = {},
                           .caption =
                               "One line a strategy; one without experts stands at 1. More experts are more "
                               "parameters, but not more computation for a token. The BLEU axis does not start at "
                               "zero."});
}

}  // namespace moe
