// How many tokens changed their expert between the last two validations.

#include "harness/report/charts/routing/layer_map.h"

namespace moe {

Chart flip_rate_chart() {
  return layer_map_chart(
      {.name = "flip_rate",
       .title = "Changed first choices between the last two validations, by MoE layer",
       .words = "share changed",
       .how = "0: the routes are settled; a random choice changes all but one in the number of experts.",
       .caption = "The share of the validation tokens whose first choice is another one than a validation before.",
       .figure = [](const LayerRouting& layer) {
         return layer.figures.load.size() < 2 ? std::optional<double>() : layer.figures.flip_rate;
       }});
}

}  // namespace moe
