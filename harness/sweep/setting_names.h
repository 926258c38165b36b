#pragma once
// What tells runs apart besides strategy and seed, in words: for the settings of a report and the rows of a dry run.

#include "core/json.h"

#include <string>
#include <vector>

namespace moe {

/// A run's settings, flat: dotted key of the configuration to value; lists stay whole.
using FlatSettings = Json;

/// A setting's value as text: strings bare, lists separated by spaces.
std::string setting_text(const Json& value);

/// Keys with two different values among the runs, in the order in which they first stand there. A run without the key
/// says nothing: another router, or an older file.
std::vector<std::string> varying_keys(const std::vector<FlatSettings>& runs);

/// What distinguishes each run besides strategy and seed, "de-en, dropout 0.1"; empty where nothing does. Keys that
/// follow from those before them (the sizes that a preset brings) are left out. `keys`: those that vary.
std::vector<std::string> setting_names(const std::vector<FlatSettings>& runs, const std::vector<std::string>& keys);

}  // namespace moe
