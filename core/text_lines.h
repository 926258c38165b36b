#pragma once
// A text as lines, whatever system it was written on.

#include <string>
#include <string_view>
#include <vector>

namespace moe {

struct TextLines {
  std::vector<std::string> lines;
  std::string note;  ///< what was left out, one sentence for the user; empty when nothing was
};

/// The lines of `text`, which sentences call `name`. A line ends at U+000A, the last one also without; an empty text
/// has no lines. What editors leave is left out and noted: a byte order mark at the start, U+000D at the end of lines
/// (Windows). U+000D within a line is text. Throws Error (request_wrong) when the only line ends are U+000D.
TextLines split_lines(std::string_view text, const std::string& name);

}  // namespace moe
