// Whether language pairs use different experts.

#include "harness/report/charts/routing/layer_map.h"
#include "metrics/divergence.h"

namespace moe {
namespace {

std::optional<double> divergence_of_directions(const LayerRouting& layer) {
  if (layer.load_by_direction.size() < 2 || layer.figures.load.size() < 2) return std::nullopt;
  std::vector<std::vector<double>> loads;
  for (const DirectionLoad& direction : layer.load_by_direction) loads.push_back(direction.load);
  return relative_divergence(loads);
}

}  // namespace

Chart specialisation_chart() {
  return layer_map_chart(
      {.name = "specialisation",
       .title = "Divergence of routing between language pairs, by MoE layer",
       .words = "divergence",
       .how = "0: all language pairs use the experts alike; 1: as different as their number allows.",
       .caption =
           "Jensen-Shannon divergence of the loads of the language pairs, over the largest that is possible. With "
           "few tokens chance alone makes it larger than 0.",
       .figure = divergence_of_directions});
}

}  // namespace moe
