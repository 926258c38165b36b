#pragma once
// `moe-bench validate`: everything wrong with a sweep file at once, or what it would run.

#include "core/error.h"

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace moe {

/// Reads a sweep as `run` would. Every error of the file goes to `errors`, a line each, and the status is
/// request_wrong; otherwise `out` gets a line with the number of runs and a short list of the strategies. With
/// `look_at_data` the data files are looked at too: unusable ones count as errors, while missing ones are only
/// reported, since the machine that runs the sweep may have them. A file that a router's option names must be there.
ExitStatus validate_sweep(const std::filesystem::path& file, const std::vector<std::string>& settings,
                          bool look_at_data, std::ostream& out, std::ostream& errors);

}  // namespace moe
