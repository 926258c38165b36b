#pragma once
// Memory as the system sees it.

#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// Makes the process keep the large blocks that it frees. The tensors of a step have the sizes of those of the step
/// before; a C library that hands each block back to the system pays for its pages again every time. Without effect
/// where the C library is not glibc.
void keep_freed_memory();

/// The number that follows `key` at the start of a line of one of the system's files, such as /proc/self/status;
/// nothing where there is no such file, line or number.
std::optional<std::int64_t> system_number(const std::string& file, const std::string& key);

}  // namespace moe
