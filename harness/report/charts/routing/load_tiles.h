#pragma once
// Heat maps of the experts' loads: a column for each expert.

#include "core/json.h"

#include <optional>
#include <string>
#include <vector>

namespace moe {

/// A line of a heat map: how some choices fall on the experts. Of one seed, the first: expert 3 of one seed and of the
/// next have nothing in common.
struct LoadLine {
  std::string panel;         ///< heading of the heat map that it stands in
  std::string setting;       ///< of the panel's runs besides their strategy
  std::string name;          ///< of the line
  std::vector<double> load;  ///< [E] shares; of a single expert nothing is shown
};

/// The chart of these lines, or none. `field`: what the lines are, "layer".
std::optional<Json> load_tiles(const std::string& title, const std::string& field, const std::vector<LoadLine>& lines);

}  // namespace moe
