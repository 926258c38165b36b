#pragma once
// What the parts of a report are made from.

#include "harness/report/tables/results_table.h"
#include "harness/verdicts/verdict.h"

#include <vector>

namespace moe {

struct ReportData {
  ResultsTable table;
  std::vector<Verdict> verdicts;  ///< in the order of the claims; none where the sweep claims nothing
};

}  // namespace moe
