#include "data/language_pair.h"

#include "core/text.h"

#include <algorithm>

namespace moe {
namespace {

bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool all_of(const std::string& text, bool (*is_kind)(char)) {
  return std::all_of(text.begin(), text.end(), is_kind);
}

/// "Latn", "Hans".
bool is_script(const std::string& text) {
  return text.size() == 4 && is_capital(text[0]) && all_of(text.substr(1), is_small);
}

/// "BR", "419".
bool is_region(const std::string& text) {
  return (text.size() == 2 && all_of(text, is_capital)) || (text.size() == 3 && all_of(text, is_digit));
}

bool is_language(const std::string& text) {
  const std::vector<std::string> parts = split(text, '-');
  const std::string& first = parts.front();
  if (parts.size() == 1) {
    return !first.empty() &&
           all_of(first, [](char c) { return is_small(c) || is_capital(c) || is_digit(c) || c == '_'; });
  }
  if (first.size() < 2 || first.size() > 3 || !all_of(first, is_small)) return false;
  std::size_t known = 1;
  if (is_script(parts[known])) ++known;
  if (known < parts.size() && is_region(parts[known])) ++known;
  return known == parts.size();
}

}  // namespace

std::optional<LanguagePair> parse_language_pair(const std::string& name) {
  for (std::size_t hyphen = name.find('-'); hyphen != std::string::npos; hyphen = name.find('-', hyphen + 1)) {
    const std::string source = name.substr(0, hyphen), target = name.substr(hyphen + 1);
    // What may follow a language's hyphen starts with a capital or a digit, a language with such parts with a small
    // letter: at most one hyphen has a language on both sides.
    if (is_language(source) && is_language(target)) {
      return source == target ? std::nullopt : std::optional(LanguagePair{name, source, target});
    }
  }
  return std::nullopt;
}

std::vector<LanguagePair> parse_language_pairs(const std::vector<std::string>& names) {
  std::vector<LanguagePair> directions;
  for (const std::string& name : names) {
    if (const std::optional<LanguagePair> direction = parse_language_pair(name)) directions.push_back(*direction);
  }
  return directions;
}

}  // namespace moe
