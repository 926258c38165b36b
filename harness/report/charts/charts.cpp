#include "harness/report/charts/chart.h"

// One line per chart, in the order of the report.
#define MOE_CHARTS(CHART)     \
  CHART(parameter_efficiency) \
  CHART(validation_curves)    \
  CHART(expert_load)          \
  CHART(speed)

namespace moe {

#define DECLARE_CHART(name) Chart name##_chart();
MOE_CHARTS(DECLARE_CHART)
#undef DECLARE_CHART

const std::vector<Chart>& all_charts() {
#define LIST_CHART(name) name##_chart(),
  static const std::vector<Chart> charts = {MOE_CHARTS(LIST_CHART)};
#undef LIST_CHART
  return charts;
}

}  // namespace moe
