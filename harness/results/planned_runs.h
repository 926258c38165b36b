#pragma once
// Runs that a sweep plans and that nobody has begun: their folders do not tell of them.

#include "harness/sweep/setting_names.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// Names (run_names.h) of the runs of FOLDER/sweep.json whose settings none of `begun` has. A key that one side lacks
/// says nothing: another version of the program wrote it. None where no sweep that this program runs stands there.
std::vector<std::string> runs_not_begun(const std::filesystem::path& folder, const std::vector<FlatSettings>& begun);

}  // namespace moe
