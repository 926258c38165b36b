#include "harness/commands/number_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>

namespace moe {
namespace {

/// Nothing unless all of the text is a number that the type holds.
template <class Number>
std::optional<Number> parse_number(const std::string& text) {
  Number number{};
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, number);
  return error == std::errc() && end == text_end ? std::optional(number) : std::nullopt;
}

}  // namespace

OptionCheck whole_number(std::int64_t minimum, std::int64_t maximum) {
  return [=](const std::string& text) -> std::string {
    const auto number = parse_number<std::int64_t>(text);
    if (number && *number >= minimum && *number <= maximum) return "";
    return fmt::format("found {}, allowed is a whole number from {} to {}.", short_json(text), minimum, maximum);
  };
}

Json number_or_text(const std::string& text) {
  if (const auto whole = parse_number<std::int64_t>(text)) return *whole;
  const auto number = parse_number<double>(text);
  return number && std::isfinite(*number) ? Json(*number) : Json(text);
}

}  // namespace moe
