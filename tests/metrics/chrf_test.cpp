#include "metrics/chrf.h"

#include "core/error.h"
#include "tests/metrics/sentences.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

ChrfOptions with_words(int order) {
  ChrfOptions options;
  options.word_order = order;
  return options;
}

}  // namespace

TEST_CASE("a chrF worked out by hand", "[metrics][chrf]") {
  // Order 1: 2 of 2 and of 3 match; order 2: 1 of 1 and of 2; higher orders lack the hypothesis and do not count.
  // So P = 1, R = (2/3 + 1/2) / 2 = 7/12 and F2 = 5 P R / (4 P + R) = 7/11.
  CHECK(corpus_chrf({"ab"}, {{"a b c"}}).score == Approx(100 * 7.0 / 11));
}

TEST_CASE("equal texts score 100; texts with nothing in common and blank ones 0", "[metrics][chrf]") {
  CHECK(corpus_chrf(hypotheses, {hypotheses}).score == Approx(100.0));
  CHECK(corpus_chrf({"abc"}, {{"xyz"}}).score == 0);
  CHECK(corpus_chrf({""}, {{"xyz"}}).score == 0);
  CHECK(corpus_chrf({" "}, {{""}}).score == 0);
}

TEST_CASE("characters are code points and white space of any kind does not count", "[metrics][chrf]") {
  const ChrfStatistics statistics = chrf_statistics("日\u3000本 😀", {"日本"}, {});
  CHECK(statistics[0].hypothesis == 3);
  CHECK(statistics[0].reference == 2);
  CHECK(statistics[0].matches == 2);
  CHECK(statistics[1].matches == 1);
  CHECK(statistics[2].hypothesis == 0);  // the reference has no run of three
}

TEST_CASE("words lose one mark: at the end if there is one, else at the start", "[metrics][chrf]") {
  // "(hi)" becomes "(hi" and ")", "(you" becomes "(" and "you", "." stays; "hi)" becomes "hi" and ")".
  const ChrfStatistics statistics = chrf_statistics("(hi) (you .", {"hi) ( you ."}, with_words(1));
  CHECK(statistics[6].hypothesis == 5);
  CHECK(statistics[6].reference == 5);
  CHECK(statistics[6].matches == 4);  // ")", "(", "you", "."
}

TEST_CASE("the reference with the best score counts, the first of equals", "[metrics][chrf]") {
  CHECK(chrf_statistics("abc", {"abx", "abc", "xyz"}, {})[0].matches == 3);
  CHECK(chrf_statistics("abc", {"x", "xyz"}, {})[0].reference == 1);
  CHECK_THROWS_AS(chrf_statistics("abc", {}, {}), Error);
}

TEST_CASE("chrF's statistics of a sentence fit in a row and come back", "[metrics][chrf]") {
  ChrfOptions options;
  options.character_order = 2;
  const ChrfStatistics statistics = chrf_statistics("ab", {"a b c"}, options);
  CHECK(summands_of(statistics) == Summands{2, 3, 2, 1, 2, 1});
  CHECK(summands_of(chrf_statistics_of(summands_of(statistics))) == summands_of(statistics));
}

// The expected numbers of the next two cases come from sacreBLEU 2.6.0:
// CHRF(lowercase=..., word_order=...).corpus_score(hypotheses, references).

TEST_CASE("one reference scores as sacreBLEU scores it, chrF and chrF++", "[metrics][chrf]") {
  CHECK(corpus_chrf(hypotheses, one_reference).score == Approx(50.77259063184254).margin(1e-9));
  CHECK(corpus_chrf(hypotheses, one_reference, with_words(2)).score == Approx(51.59820295377229).margin(1e-9));
  ChrfOptions options;
  options.lowercase = true;
  CHECK(corpus_chrf(hypotheses, one_reference, options).score == Approx(51.333177305693034).margin(1e-9));
}

TEST_CASE("two references score as sacreBLEU scores them, chrF and chrF++", "[metrics][chrf]") {
  CHECK(corpus_chrf(hypotheses, two_references).score == Approx(75.82029949450416).margin(1e-9));
  CHECK(corpus_chrf(hypotheses, two_references, with_words(2)).score == Approx(76.57048921831571).margin(1e-9));
}

TEST_CASE("name and signature are sacreBLEU's", "[metrics][chrf]") {
  const ChrfScore chrf = corpus_chrf(hypotheses, one_reference);
  CHECK(chrf.name == "chrF2");
  CHECK(chrf.signature == "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0");
  ChrfOptions options = with_words(2);
  options.lowercase = true;
  CHECK(corpus_chrf(hypotheses, two_references, options).name == "chrF2++");
  CHECK(chrf_signature(options, 2) == "nrefs:2|case:lc|eff:yes|nc:6|nw:2|space:no|version:2.6.0");
}

TEST_CASE("orders and beta have least values", "[metrics][chrf]") {
  CHECK_THROWS_AS(corpus_chrf({"a"}, {{"a"}}, with_words(-1)), Error);
  ChrfOptions options;
  options.character_order = 0;
  CHECK_THROWS_AS(corpus_chrf({"a"}, {{"a"}}, options), Error);
}

}  // namespace moe
