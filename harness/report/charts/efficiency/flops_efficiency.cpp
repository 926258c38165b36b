// BLEU on the test sets against the FLOPs of training.

#include "harness/report/charts/efficiency/efficiency.h"

namespace moe {

Chart flops_efficiency_chart() {
  return efficiency_chart({.name = "flops_efficiency",
                           .title = "training FLOPs",
                           .cost =
                               [](const TableRow& row) {
                                 return row.training_flops ? std::optional(row.training_flops->mean) : std::nullopt;
                               },
                           .caption = "FLOPs count kept assignments: a dropped one costs nothing."});
}

}  // namespace moe
