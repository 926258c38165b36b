// How evenly the experts are used, in one number for each layer.

#include "harness/report/charts/routing/layer_map.h"

#include <algorithm>
#include <cmath>

namespace moe {

Chart load_entropy_chart() {
  return layer_map_chart({.name = "load_entropy",
                          .title = "Entropy of the load, by MoE layer",
                          .words = "entropy / even",
                          .how = "1: all experts are used alike; 0: one has everything.",
                          .caption = "The entropy of the shares of the experts, over that of even shares.",
                          .figure = [](const LayerRouting& layer) {
                            const std::size_t experts = layer.figures.load.size();
                            if (experts < 2) return std::optional<double>();
                            return std::optional(
                                std::min(layer.figures.entropy / std::log(static_cast<double>(experts)), 1.0));
                          }});
}

}  // namespace moe
