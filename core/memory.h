#pragma once
// Memory as the system sees it.

#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// The number that follows `key` at the start of a line of one of the system's files, such as /proc/self/status;
/// nothing where there is no such file, line or number.
std::optional<std::int64_t> system_number(const std::string& file, const std::string& key);

/// Of this process, or of another; 0 when it is gone.
std::int64_t resident_bytes(const std::string& process = "self");

}  // namespace moe
