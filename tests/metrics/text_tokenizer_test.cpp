#include "metrics/text_tokenizer.h"

#include "core/error.h"
#include "core/text.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// The words with bars between them.
std::string words(std::string_view sentence, TextTokenizer tokenizer) {
  return join(tokenize(sentence, tokenizer), "|");
}

std::string words_13a(std::string_view sentence) {
  return words(sentence, TextTokenizer::v13a);
}

std::string words_intl(std::string_view sentence) {
  return words(sentence, TextTokenizer::international);
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

// The expectations of the next two cases are also what sacreBLEU 2.6.0 gives: TokenizerV14International() and
// TokenizerChar().

TEST_CASE("intl parts punctuation and symbols of every script", "[metrics][text_tokenizer]") {
  CHECK(words_intl("Hello, world!") == "Hello|,|world|!");
  CHECK(words_intl("don't x-1 a_b") == "don|'|t|x|-|1|a|_|b");
  CHECK(words_intl("东京,大阪。「5月」") == "东京|,|大阪|。|「5月|」");
  CHECK(words_intl("¿qué? €5 1+1=2 😀😀 ½") == "¿|qué|?|€|5|1|+|1|=|2|😀|😀|½");
  CHECK(words_intl("&quot;") == "&|quot|;");  // entities stay what they are
}

TEST_CASE("intl keeps punctuation between numbers, and behind one at a line's end", "[metrics][text_tokenizer]") {
  CHECK(words_intl("1,000.50 ١٢٫٣ 1990-95") == "1,000.50|١٢٫٣|1990-95");
  CHECK(words_intl("5. in 5.") == "5|.|in|5.");
  CHECK(words_intl("5.  ") == "5.");
  CHECK(words_intl("5,,5 a.,b") == "5|,|,|5|a|.|,|b");
}

TEST_CASE("char makes every code point that is not white space a word", "[metrics][text_tokenizer]") {
  CHECK(words(" ab\u3000日本 e\u0301😀\t", TextTokenizer::character) == "a|b|日|本|e|\u0301|😀");
  CHECK(words("", TextTokenizer::character).empty());
}

TEST_CASE("without a tokenizer only white space parts words", "[metrics][text_tokenizer]") {
  CHECK(tokenize(" Hello,  world!&amp; ", TextTokenizer::none) == std::vector<std::string>{"Hello,", "world!&amp;"});
}

TEST_CASE("tokenizers are found by name", "[metrics][text_tokenizer]") {
  for (const std::string name : {"13a", "intl", "char", "none"}) CHECK(tokenizer_name(tokenizer_named(name)) == name);
  CHECK(tokenizer_named("intl") == TextTokenizer::international);
  CHECK_THROWS_AS(tokenizer_named("13b"), Error);
}

}  // namespace moe
