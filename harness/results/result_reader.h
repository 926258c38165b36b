#pragma once
// Strict reading of one result.json.

#include "harness/results/run_result.h"

#include <filesystem>

namespace moe {

/// The version of result.json that this program reads and writes.
inline constexpr std::int64_t result_schema_version = 1;

/// Reads one result. `settings` holds the configuration as it stands, followed by `data_digest`. Keys that nothing here
/// needs are passed over. Throws (request_wrong) with file and JSON path for what is missing or of another type.
RunResult read_run_result(const std::filesystem::path& file);

}  // namespace moe
