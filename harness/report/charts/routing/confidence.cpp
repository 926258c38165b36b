// How sure the gates are of their first choice.

#include "harness/report/charts/routing/layer_map.h"

namespace moe {

Chart confidence_chart() {
  return layer_map_chart(
      {.name = "confidence",
       .title = "Confidence of the gates, by MoE layer",
       .words = "confidence",
       .how = "Mean of the largest probability: 1 is sure, one over the number of experts is a guess.",
       .caption = "Of the validation tokens, with the model as scored. Strategies without a gate have none.",
       .figure = [](const LayerRouting& layer) { return layer.figures.confidence; }});
}

}  // namespace moe
