#include "core/text.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

TEST_CASE("counts in words") {
  CHECK(count_of(0, "run") == "0 runs");
  CHECK(count_of(1, "run") == "1 run");
  CHECK(count_of(2, "run") == "2 runs");
  CHECK(count_of(1, "strategy", "strategies") == "1 strategy");
  CHECK(count_of(3, "strategy", "strategies") == "3 strategies");
}

TEST_CASE("hash_bytes is 64-bit FNV-1a") {  // the published test vectors
  CHECK(hash_bytes("") == 0xcbf29ce484222325ULL);
  CHECK(hash_bytes("a") == 0xaf63dc4c8601ec8cULL);
  CHECK(hash_bytes("foobar") == 0x85944171f73967e8ULL);
  CHECK(hexadecimal(0x1fULL) == "000000000000001f");
}

TEST_CASE("split keeps empty parts, and join undoes it") {
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split("", ',') == std::vector<std::string>{""});
  CHECK(split("a,", ',') == std::vector<std::string>{"a", ""});
  CHECK(join({"a", "", "b"}, ", ") == "a, , b");
  CHECK(join({}, ", ").empty());
}

TEST_CASE("nearest finds what was probably meant") {
  const std::vector<std::string> routers = {"dense", "switch", "gshard", "hash", "thor"};
  CHECK(nearest("swich", routers) == "switch");
  CHECK(nearest("thor", routers) == "thor");
  CHECK(nearest("hsh", routers) == "hash");
  CHECK(nearest("ghsard", routers) == "gshard");         // a transposition is two edits
  CHECK_FALSE(nearest("mixture", routers).has_value());  // nothing is near
  CHECK_FALSE(nearest("abc", std::vector<std::string>{}).has_value());
  CHECK(nearest("ab", {"ax", "ay"}) == "ax");                    // the first of equals
  CHECK_FALSE(nearest("training", {"evaluation"}).has_value());  // more than a third of the word
}

TEST_CASE("first_invalid_utf8 finds the first ill-formed byte") {
  CHECK_FALSE(first_invalid_utf8("").has_value());
  CHECK_FALSE(first_invalid_utf8("Zwei M\xC3\xA4nner \xE2\x82\xAC \xF0\x9F\x98\x80").has_value());
  CHECK(first_invalid_utf8("ab\xFF") == 2U);
  CHECK(first_invalid_utf8("\x80") == 0U);                          // a continuation byte alone
  CHECK(first_invalid_utf8("a\xC3") == 1U);                         // cut short
  CHECK(first_invalid_utf8("\xC0\xAF") == 0U);                      // overlong "/"
  CHECK(first_invalid_utf8("\xE0\x80\xAF") == 0U);                  // overlong in three bytes
  CHECK(first_invalid_utf8("\xED\xA0\x80") == 0U);                  // a surrogate
  CHECK(first_invalid_utf8("x\xF4\x90\x80\x80") == 1U);             // above U+10FFFF
  CHECK_FALSE(first_invalid_utf8("\xF4\x8F\xBF\xBF").has_value());  // U+10FFFF itself
}

}  // namespace
}  // namespace moe
