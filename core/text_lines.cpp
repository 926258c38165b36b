#include "core/text_lines.h"

#include "core/error.h"
#include "core/text.h"

namespace moe {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// True when there were any.
bool drop_carriage_returns(std::vector<std::string>& lines) {
  bool found = false;
  for (std::string& line : lines) {
    found = found || line.ends_with('\r');
    while (line.ends_with('\r')) line.pop_back();
  }
  return found;
}

}  // namespace

TextLines split_lines(std::string_view text, const std::string& name) {
  const bool has_mark = text.starts_with(byte_order_mark);
  if (has_mark) text.remove_prefix(byte_order_mark.size());
  MOE_CHECK(text.find('\r') == std::string_view::npos || text.find('\n') != std::string_view::npos,
            "{}: lines end with U+000D alone, expected U+000A or, as on Windows, U+000D and U+000A.", name);
  TextLines result;
  if (!text.empty()) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    result.lines = split(text, '\n');
  }
  std::vector<std::string> ignored;
  if (has_mark) ignored.emplace_back("a byte order mark");
  if (drop_carriage_returns(result.lines)) ignored.emplace_back("carriage returns of Windows line ends");
  if (!ignored.empty()) result.note = fmt::format("{}: left out {}.", name, join(ignored, " and "));
  return result;
}

}  // namespace moe
