// BLEU on the test sets against the parameters that one token passes through.

#include "harness/report/charts/efficiency/efficiency.h"

namespace moe {

Chart active_efficiency_chart() {
  return efficiency_chart({.name = "active_efficiency",
                           .title = "active parameters",
                           .cost = [](const TableRow& row) { return row.active_parameters; },
                           .caption = "Active are the parameters that one token passes through."});
}

}  // namespace moe
