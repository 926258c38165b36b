#pragma once
// result.json with digests of its content, so that a changed or damaged one is never taken for what a run wrote.

#include "core/json.h"
#include "harness/results/record.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// Writes the result with a digest of its measurements and one of all the rest, which is the same for equal runs.
void write_result(const std::filesystem::path& file, const RunRecord& record);

/// JSON paths of the digests in a document that are not those of its content. One that is missing is not wrong: older
/// versions wrote none.
std::vector<std::string> wrong_digests(const Json& result);

/// Reads the document of a result. Throws Error (request_wrong) when a digest in it is not its own.
Json read_result(const std::filesystem::path& file);

}  // namespace moe
