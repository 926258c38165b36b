#pragma once
// Files read whole and written whole or not at all.

#include <filesystem>
#include <string>
#include <string_view>

namespace moe {

/// The bytes of a file. Throws (request_wrong; machine_failed where a read fails) naming the path.
std::string read_file(const std::filesystem::path& path);

/// Replaces the file by `bytes` so that a reader, or a crash at any moment, sees the old content or the new, never a
/// part: writes beside it, flushes to the disk, renames. Makes missing parent folders. Throws (machine_failed).
void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace moe
