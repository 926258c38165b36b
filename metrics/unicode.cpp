#include "metrics/unicode.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <cstdint>

namespace moe {
namespace {

/// The code point at `offset`, which moves behind it.
char32_t next_code_point(std::string_view utf8, std::size_t& offset) {
  UChar32 code_point = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"                     // inside ICU's macro
  U8_NEXT_OR_FFFD(utf8.data(), offset, utf8.size(), code_point);  // NOLINT(bugprone-inc-dec-in-conditions)
#pragma GCC diagnostic pop
  return static_cast<char32_t>(code_point);
}

bool has_category(char32_t code_point, std::uint32_t categories) {
  return (U_GET_GC_MASK(static_cast<UChar32>(code_point)) & categories) != 0;
}

}  // namespace

std::u32string code_points(std::string_view utf8) {
  std::u32string points;
  points.reserve(utf8.size());
  for (std::size_t offset = 0; offset < utf8.size();) points += next_code_point(utf8, offset);
  return points;
}

std::string to_utf8(std::u32string_view points) {
  std::string utf8;
  for (const char32_t point : points) icu::UnicodeString(static_cast<UChar32>(point)).toUTF8String(utf8);
  return utf8;
}

bool is_space(char32_t code_point) {
  const auto point = static_cast<UChar32>(code_point);
  const UCharDirection direction = u_charDirection(point);
  return u_charType(point) == U_SPACE_SEPARATOR || direction == U_WHITE_SPACE_NEUTRAL ||
         direction == U_BLOCK_SEPARATOR || direction == U_SEGMENT_SEPARATOR;
}

bool is_number(char32_t code_point) {
  return has_category(code_point, U_GC_N_MASK);
}

bool is_punctuation(char32_t code_point) {
  return has_category(code_point, U_GC_P_MASK);
}

bool is_symbol(char32_t code_point) {
  return has_category(code_point, U_GC_S_MASK);
}

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

std::vector<std::string_view> split_words(std::string_view utf8) {
  std::vector<std::string_view> words;
  std::size_t start = 0;
  for (std::size_t offset = 0; offset < utf8.size();) {
    const std::size_t before = offset;
    if (!is_space(next_code_point(utf8, offset))) continue;
    if (before > start) words.push_back(utf8.substr(start, before - start));
    start = offset;
  }
  if (start < utf8.size()) words.push_back(utf8.substr(start));
  return words;
}

std::string_view strip_end(std::string_view utf8) {
  const std::vector<std::string_view> words = split_words(utf8);
  if (words.empty()) return {};
  return utf8.substr(0, static_cast<std::size_t>(words.back().data() + words.back().size() - utf8.data()));
}

std::string lower_case(std::string_view utf8) {
  const icu::StringPiece piece(utf8.data(), static_cast<std::int32_t>(utf8.size()));
  std::string lowered;
  icu::UnicodeString::fromUTF8(piece).toLower(icu::Locale::getRoot()).toUTF8String(lowered);
  return lowered;
}

}  // namespace moe
