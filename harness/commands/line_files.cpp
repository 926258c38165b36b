#include "harness/commands/line_files.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/text_lines.h"

#include <algorithm>

namespace moe {

LineFile read_line_file(const std::filesystem::path& path, std::set<std::string>& notes) {
  const std::string text = read_file(path);
  if (const auto offset = first_invalid_utf8(text)) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*offset), '\n');
    throw Error(fmt::format("{}:{}: is not valid UTF-8.", path.string(), line));
  }
  TextLines lines = split_lines(text, path.string());
  if (!lines.note.empty()) notes.insert(lines.note);
  return {path, std::move(lines.lines)};
}

void check_line_counts(const LineFile& hypothesis, const LineFile& reference) {
  MOE_CHECK(!reference.lines.empty(), "{}:1: the reference is empty.", reference.path.string());
  const auto fewer = [](const LineFile& a, const LineFile& b) { return a.lines.size() < b.lines.size(); };
  const auto [shorter, longer] = std::minmax(hypothesis, reference, fewer);
  MOE_CHECK(shorter.lines.size() == longer.lines.size(), "{}:{}: ends after {} lines, but {} has {}.",
            shorter.path.string(), shorter.lines.size() + 1, shorter.lines.size(), longer.path.string(),
            longer.lines.size());
}

}  // namespace moe
