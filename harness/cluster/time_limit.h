#pragma once
// Limits of time as Slurm writes them.

#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// Seconds of "MM", "MM:SS", "HH:MM:SS", "D-HH", "D-HH:MM" or "D-HH:MM:SS"; nothing for another text.
std::optional<std::int64_t> time_limit_seconds(const std::string& text);

}  // namespace moe
