#pragma once
// Heat maps of the experts' loads: a column for each expert, a panel for each strategy.

#include "core/json.h"

#include <string>

namespace moe {

/// Puts `cells` into a chart. Of each: `expert`, zero-based; `load` in even shares; `panel`, its heading; `setting`,
/// what the panel's runs have in common besides the strategy; the field `row`, by which cells stand in lines; `words`.
void put_load_tiles(Json& chart, const Json& cells, const std::string& row);

}  // namespace moe
