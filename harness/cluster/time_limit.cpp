#include "harness/cluster/time_limit.h"

#include "core/text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace moe {
namespace {

constexpr std::size_t most_digits = 6;

/// Nothing unless the text is one to six digits.
std::optional<std::int64_t> number_of_digits(const std::string& text) {
  const bool digits = std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || text.size() > most_digits || !digits) return std::nullopt;
  return std::stoll(text);
}

}  // namespace

std::optional<std::int64_t> time_limit_seconds(const std::string& text) {
  const std::size_t dash = text.find('-');
  const bool has_days = dash != std::string::npos;
  const std::vector<std::string> parts = split(has_days ? text.substr(dash + 1) : text, ':');
  if (parts.size() > 3) return std::nullopt;
  // Behind days, and where there are three parts, the first is hours; else it is minutes.
  constexpr std::array<std::int64_t, 3> units = {3600, 60, 1};
  std::size_t unit = has_days || parts.size() == 3 ? 0 : 1;
  const std::optional<std::int64_t> days = has_days ? number_of_digits(text.substr(0, dash)) : 0;
  if (!days) return std::nullopt;
  std::int64_t seconds = *days * 24 * units[0];
  for (const std::string& part : parts) {
    const std::optional<std::int64_t> number = number_of_digits(part);
    if (!number) return std::nullopt;
    seconds += *number * units[unit++];
  }
  return seconds;
}

}  // namespace moe
