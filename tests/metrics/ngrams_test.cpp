#include "metrics/ngrams.h"

#include "tests/support/catch.h"

namespace moe {

TEST_CASE("equal words get equal numbers, across sentences too", "[metrics][ngrams]") {
  WordNumbers numbers;
  CHECK(numbers.number({"a", "b", "a"}) == Symbols{0, 1, 0});
  CHECK(numbers.number({"c", "b"}) == Symbols{2, 1});
  CHECK(numbers.number({}).empty());
}

TEST_CASE("n-grams are counted and matched with clipping", "[metrics][ngrams]") {
  const Symbols aaab = U"aaab";
  const Symbols aab = U"aab";
  const NgramCounts pairs = count_ngrams(aaab, 2);
  CHECK(pairs.size() == 2);
  CHECK(pairs.at(U"aa") == 2);
  CHECK(pairs.at(U"ab") == 1);
  CHECK(count_matches(pairs, count_ngrams(aab, 2)) == 2);  // one of two "aa", and "ab"
  CHECK(count_ngrams(aab, 4).empty());
}

TEST_CASE("a sentence has length - n + 1 n-grams, never fewer than none", "[metrics][ngrams]") {
  CHECK(ngram_total(5, 1) == 5);
  CHECK(ngram_total(5, 5) == 1);
  CHECK(ngram_total(5, 6) == 0);
  CHECK(ngram_total(0, 1) == 0);
}

}  // namespace moe
