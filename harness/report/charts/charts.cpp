#include "harness/report/charts/chart.h"

// One line per chart, in the order of the report.
#define MOE_CHARTS(CHART)     \
  CHART(forest)               \
  CHART(parameter_efficiency) \
  CHART(active_efficiency)    \
  CHART(flops_efficiency)     \
  CHART(time_efficiency)      \
  CHART(decoding_efficiency)  \
  CHART(experts)              \
  CHART(corpus_size)          \
  CHART(validation_curves)    \
  CHART(expert_load)          \
  CHART(language_load)        \
  CHART(load_entropy)         \
  CHART(confidence)           \
  CHART(specialisation)       \
  CHART(routing_swaps)        \
  CHART(flip_rate)            \
  CHART(saturation)           \
  CHART(seed_agreement)       \
  CHART(consistency_dropout)  \
  CHART(inference_modes)      \
  CHART(draws)                \
  CHART(speed)                \
  CHART(memory)

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
