#include "metrics/unicode.h"

#include "tests/support/catch.h"

namespace moe {

TEST_CASE("code points of one to four bytes, and of broken text", "[metrics][unicode]") {
  CHECK(code_points("aé日😀") == U"aé日😀");
  CHECK(code_points("").empty());
  CHECK(code_points("a\xff") == U"a\uFFFD");
}

TEST_CASE("white space is what Python's str.isspace says", "[metrics][unicode]") {
  int spaces = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) spaces += is_space(c) ? 1 : 0;
  CHECK(spaces == 29);  // sum(chr(c).isspace() for c in range(0x110000)) in Python 3.11
  for (const char32_t c : U"\t\n\x0b\x0c\r\x1c\x1f \u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000") {
    if (c != 0) CHECK(is_space(c));  // 0 ends the literal
  }
  CHECK_FALSE(is_space(U'\u200b'));  // zero width space: a format character
  CHECK_FALSE(is_space(U'\ufeff'));
}

TEST_CASE("code points go back to UTF-8", "[metrics][unicode]") {
  CHECK(to_utf8(U"aé日😀") == "aé日😀");
  CHECK(to_utf8(U"").empty());
}

TEST_CASE("numbers, punctuation and symbols are Unicode's categories N, P and S", "[metrics][unicode]") {
  for (const char32_t c : std::u32string(U"5½Ⅷ٣〇")) CHECK(is_number(c));
  for (const char32_t c : std::u32string(U".,_-(«。」؟")) CHECK(is_punctuation(c));
  for (const char32_t c : std::u32string(U"$€+^`|°😀→")) CHECK(is_symbol(c));
  for (const char32_t c : std::u32string(U"aé日 \u0301\u200b")) {
    CHECK_FALSE((is_number(c) || is_punctuation(c) || is_symbol(c)));
  }
  CHECK_FALSE(is_number(U'五'));    // a letter with a value
  CHECK(is_symbol(U'\U0001FAE0'));  // an emoji of Unicode 14
}

TEST_CASE("words are what stands between white space of any kind", "[metrics][unicode]") {
  CHECK(split_words(" a\u00a0\u3000bé\t\r\nc ") == std::vector<std::string_view>{"a", "bé", "c"});
  CHECK(split_words("").empty());
  CHECK(split_words(" \u2003").empty());
  CHECK(strip_end(" a b \u3000\n") == " a b");
  CHECK(strip_end("\u3000 ").empty());
}

TEST_CASE("lower case knows final sigma and mappings that change the length", "[metrics][unicode]") {
  CHECK(lower_case("ÄRGER ΣΑΣ ΟΔΟΣ.") == "ärger σας οδος.");
  CHECK(lower_case("İ") == "i\u0307");
  CHECK(lower_case("ẞ K") == "ß k");
}

TEST_CASE("ASCII punctuation is four ranges", "[metrics][unicode]") {
  for (const char c : std::string("!/:@[`{~.,-'_")) CHECK(is_ascii_punctuation(c));
  for (const char c : std::string(" 09AZaz\x7f\xc3")) CHECK_FALSE(is_ascii_punctuation(c));
}

}  // namespace moe
