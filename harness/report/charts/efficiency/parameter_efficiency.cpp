// BLEU on the test sets against the total number of parameters.

#include "harness/report/charts/efficiency/efficiency.h"

namespace moe {

Chart parameter_efficiency_chart() {
  return efficiency_chart({.name = "parameter_efficiency",
                           .title = "total parameters",
                           .cost = [](const TableRow& row) { return row.total_parameters; },
                           .first = true,
                           .caption = "Strategies of one size stand side by side where they have intervals."});
}

}  // namespace moe
