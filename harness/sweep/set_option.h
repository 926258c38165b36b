#pragma once
// --set key.path=value.

#include "core/config.h"

#include <string>
#include <vector>

namespace moe {

/// Changes a sweep file as the `key.path=value` of --set ask. The value is JSON, or a string where it is not. For a
/// configuration key it replaces the value in the base and every axis that would override it; a list, for a key that
/// takes no list, becomes the axis. Entries of `include` and `exclude` stay. `grid.KEY` and the other parts of a
/// sweep file are replaced as they are.
void apply_settings(Json& sweep, const std::vector<std::string>& settings, ConfigErrors& errors);

}  // namespace moe
