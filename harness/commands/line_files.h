#pragma once
// Files of translations and references as the commands read them.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace moe {

struct LineFile {
  std::filesystem::path path;
  std::vector<std::string> lines;
};

/// The lines of a file as split_lines gives them; what it left out joins `notes`. Throws Error (request_wrong) naming
/// file and line for invalid UTF-8.
LineFile read_line_file(const std::filesystem::path& path, std::set<std::string>& notes);

/// Throws Error (request_wrong) unless both files have the same number of lines, naming the line that the shorter one
/// lacks.
void check_line_counts(const LineFile& hypothesis, const LineFile& reference);

}  // namespace moe
