#pragma once
// Heat maps of one figure of routing: a row for each strategy, a column for each MoE layer.

#include "harness/report/charts/chart.h"

#include <optional>
#include <string>

namespace moe {

struct LayerFigure {
  std::string name;   ///< of the chart and its files
  std::string title;  ///< of the chart
  std::string words;  ///< what a cell is: "confidence"
  std::string how;    ///< to read the numbers, a sentence for the face of the chart
  std::string caption;
  std::optional<double> (*figure)(const LayerRouting& layer);  ///< from 0 to 1; none: the layer has no such figure
};

/// Each strategy with its largest number of experts, means over seeds. Nothing where no layer has the figure.
Chart layer_map_chart(const LayerFigure& figure);

/// "encoder 1": stack and zero-based block, as `model.moe_layers` counts them.
std::string layer_name(const LayerRouting& layer);

}  // namespace moe
