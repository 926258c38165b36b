#pragma once
// `moe-bench verify`: whether results are what their runs wrote, and scores what their translations give.

#include "core/error.h"

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <vector>

namespace moe {

struct VerifyRequest {
  std::vector<std::filesystem::path> folders;
  std::optional<std::filesystem::path> data;  ///< where text is looked for, in place of data.root
  bool json = false;
};

/// Checks every run of every folder: digests, run id, configuration, and BLEU and chrF of every file of translations
/// where the references are to be had. Nothing is trained or translated. Writes what was recomputed, what was only
/// read, and a line for each problem. Returns runs_failed when something does not agree; throws Error (request_wrong)
/// for a folder without runs/.
ExitStatus run_verify(const VerifyRequest& request, std::ostream& out);

}  // namespace moe
