#include "metrics/text_tokenizer.h"

#include "core/error.h"
#include "core/text.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// The words of 13a with bars between them.
std::string words_13a(std::string_view sentence) {
  return join(tokenize(sentence, TextTokenizer::v13a), "|");
}

}  // namespace

// The expectations of the next four cases are also what sacreBLEU 2.6.0 gives: Tokenizer13a()(text.rstrip()).split().

TEST_CASE("13a parts punctuation from words, but not apostrophes and hyphens", "[metrics][text_tokenizer]") {
  CHECK(words_13a("Hello, world!") == "Hello|,|world|!");
  CHECK(words_13a("don't (hi) \"q\"") == "don't|(|hi|)|\"|q|\"");
  CHECK(words_13a("U.S.A. e.g.") == "U|.|S|.|A|.|e|.|g|.");
  CHECK(words_13a("well-known -- x-1") == "well-known|--|x-1");
  CHECK(words_13a("东京,大阪。5") == "东京|,|大阪。5");
}

TEST_CASE("13a keeps points and commas inside numbers and parts a dash behind a digit", "[metrics][text_tokenizer]") {
  CHECK(words_13a("1,000.50 and .5, 5. ok") == "1,000.50|and|.|5|,|5|.|ok");
  CHECK(words_13a("1990-95 9-a 3- -3") == "1990|-|95|9|-|a|3|-|-3");
  CHECK(words_13a("5,,5") == "5|,|,|5");
  CHECK(words_13a("a.,b") == "a|.|,|b");
}

TEST_CASE("13a reads entities and drops <skipped> and a hyphen at a line's end", "[metrics][text_tokenizer]") {
  CHECK(words_13a("a&amp;lt;b &quot;x&quot;") == "a|<|b|\"|x|\"");
  CHECK(words_13a("x<skipped>y") == "xy");
  CHECK(words_13a("foot-\nball\ngame") == "football|game");
  CHECK(words_13a("foot-\n") == "foot-");  // the line's end goes first
}

TEST_CASE("blank text has no words and every kind of white space parts them", "[metrics][text_tokenizer]") {
  CHECK(words_13a("").empty());
  CHECK(words_13a(" \u3000\t").empty());
  CHECK(words_13a("a\u00a0b\u2028c") == "a|b|c");
}

TEST_CASE("without a tokenizer only white space parts words", "[metrics][text_tokenizer]") {
  CHECK(tokenize(" Hello,  world!&amp; ", TextTokenizer::none) == std::vector<std::string>{"Hello,", "world!&amp;"});
}

TEST_CASE("tokenizers are found by name", "[metrics][text_tokenizer]") {
  CHECK(tokenizer_named("13a") == TextTokenizer::v13a);
  CHECK(tokenizer_named("none") == TextTokenizer::none);
  CHECK_THROWS_AS(tokenizer_named("13b"), Error);
}

}  // namespace moe
