#pragma once
// Small pure functions on strings and bytes that several folders need.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// 64-bit FNV-1a of the bytes.
std::uint64_t hash_bytes(std::string_view bytes);

/// Sixteen lower-case hexadecimal digits.
std::string hexadecimal(std::uint64_t value);

/// Splits at every `separator`; "a,,b" gives three parts and "" gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);

/// "1 run", "2 runs"; `plural` where it is not the noun with an s.
std::string count_of(std::int64_t count, const std::string& noun, const std::string& plural = "");

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The candidate with the smallest edit distance to `word`, if that is at most a third of the word's length (at least
/// 2): what a user who mistyped probably meant.
std::optional<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates);

/// Byte offset of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7), if there is one.
std::optional<std::size_t> first_invalid_utf8(std::string_view bytes);

}  // namespace moe
