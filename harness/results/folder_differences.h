#pragma once
// What the reader of merged results has to know: in what the folders differ beyond what the table tells apart.

#include "harness/sweep/setting_names.h"

#include <string>
#include <vector>

namespace moe {

/// A sentence for each setting that has one value in every folder that has it, but not the same in all: "The folders
/// differ in training.updates: 4000 against 6000." Axes of a folder, the strategy and the seed are what tables tell
/// apart anyway. `folders`: the settings of the runs of each.
std::vector<std::string> folder_differences(const std::vector<std::vector<FlatSettings>>& folders);

}  // namespace moe
