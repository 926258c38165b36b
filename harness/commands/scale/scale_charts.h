#pragma once
// Charts of the cost model of an MoE layer, in the style of the report's.

#include "core/json.h"
#include "harness/commands/scale/layer_cost.h"

#include <string>
#include <vector>

namespace moe {

/// A Vega-Lite specification of the layer's efficiency against the number of ranks, one line for each exchange.
/// `subtitle`: what was modelled, line by line.
Json efficiency_against_ranks(const std::vector<LayerCost>& costs, const std::vector<std::string>& subtitle);

/// One of what the layer's time goes into against the number of ranks, side by side for each exchange.
Json time_against_ranks(const std::vector<LayerCost>& costs, const std::vector<std::string>& subtitle);

}  // namespace moe
