#pragma once
// What names translations of another program, so that its result can be checked as that of a run can.

#include "harness/results/record.h"

#include <string>
#include <vector>

namespace moe {

/// Digest of lines of text.
std::string digest_of_text(const std::vector<std::string>& lines);

/// Name of the folder of imported translations: readable parts, then 8 digits over label, seed, and set, direction and
/// lines of its first score.
std::string imported_run_id(const RunRecord& record, const std::vector<std::string>& translations);

}  // namespace moe
