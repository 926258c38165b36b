#pragma once
// What a run's folder holds against what its result says.

#include "harness/commands/verify/findings.h"
#include "harness/commands/verify/reference_texts.h"

#include <filesystem>

namespace moe {

/// Checks digests, run id, configuration and scores of the result in a folder.
RunFindings check_run(const std::filesystem::path& folder, ReferenceTexts& references);

}  // namespace moe
