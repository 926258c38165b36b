#include "harness/cluster/quoting.h"

#include "core/error.h"

#include <algorithm>

namespace moe {
namespace {

/// The text with `before` in front of each of these characters.
std::string with_each(const std::string& text, const std::string& characters, char before) {
  std::string result;
  for (const char c : text) {
    if (characters.find(c) != std::string::npos) result += before;
    result += c;
  }
  return result;
}

}  // namespace

std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string(R"('\'')") : std::string(1, c);
  return quoted + "'";
}

std::string sbatch_quoted(const std::string& text) {
  return '"' + with_each(text, "\\\"", '\\') + '"';
}

std::string log_pattern(const std::string& path) {
  MOE_CHECK(path.find('\\') == std::string::npos,
            "{}: a path with a backslash: Slurm then replaces nothing in the names of log files; give another --out.",
            path);
  return with_each(path, "%", '%');
}

void check_no_control_character(const std::string& what, const std::string& text) {
  const bool has_one = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  MOE_CHECK(!has_one, "{}: a control character in {:?}; a job script takes none.", what, text);
}

}  // namespace moe
