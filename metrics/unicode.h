#pragma once
// Text as Python sees it: code points, white space and lower case. The classes come from ICU.

#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// The code points of a UTF-8 text; each ill-formed sequence becomes U+FFFD.
std::u32string code_points(std::string_view utf8);

/// UTF-8 of code points.
std::string to_utf8(std::u32string_view points);

/// Python's str.isspace: a space separator, or of bidirectional class WS, B or S.
bool is_space(char32_t code_point);

/// General category N, P or S: \p{N}, \p{P} and \p{S} of a regular expression.
bool is_number(char32_t code_point);
bool is_punctuation(char32_t code_point);
bool is_symbol(char32_t code_point);

/// !"#$%&'()*+,-./:;<=>?@[\]^_`{|}~
bool is_ascii_punctuation(char c);

/// Python's str.split() without arguments: the runs of what is not white space.
std::vector<std::string_view> split_words(std::string_view utf8);

/// Python's str.rstrip() without arguments.
std::string_view strip_end(std::string_view utf8);

/// Python's str.lower(): Unicode's full mapping, final sigma included, in no particular language.
std::string lower_case(std::string_view utf8);

}  // namespace moe
