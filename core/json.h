#pragma once
// JSON as the project reads and writes it: keys keep their order, and a duplicate key is an error.

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

using Json = nlohmann::ordered_json;

/// Parses a document. Throws (request_wrong) with "NAME:LINE:COLUMN: ..." for broken syntax, with "NAME: JSON.PATH:
/// ..." for a key that stands twice in one object, and for more than 100 levels of nesting.
Json parse_json(std::string_view text, const std::string& name);

/// The same for a reader who collects all errors: a key that stands twice is named in `duplicates` by its dotted path,
/// and its last value holds.
Json parse_json(std::string_view text, const std::string& name, std::vector<std::string>& duplicates);

/// parse_json of a file.
Json read_json(const std::filesystem::path& path);

/// Two-space indentation and a final newline, as every JSON file of the project is written.
std::string format_json(const Json& value);

/// The value on one line for an error message, cut after about 60 characters.
std::string short_json(const Json& value);

/// The text with U+FFFD in place of bytes that are no UTF-8, which no JSON file can hold.
std::string valid_utf8(const std::string& text);

/// What is said about a key that stands twice.
inline constexpr const char* duplicate_key_sentence = "the key stands twice in one object.";

}  // namespace moe
