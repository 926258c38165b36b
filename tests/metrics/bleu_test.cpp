#include "metrics/bleu.h"

#include "core/error.h"
#include "tests/metrics/sentences.h"
#include "tests/support/catch.h"

#include <cmath>

namespace moe {
namespace {

using Counts = std::array<std::int64_t, bleu_order>;

}  // namespace

TEST_CASE("a score worked out by hand", "[metrics][bleu]") {
  const BleuScore bleu = corpus_bleu({"a b c d e"}, {{"a b x d e f g"}});
  CHECK(bleu.counts == Counts{4, 2, 0, 0});
  CHECK(bleu.totals == Counts{5, 4, 3, 2});
  CHECK(bleu.system_length == 5);
  CHECK(bleu.reference_length == 7);
  CHECK(bleu.brevity_penalty == Approx(std::exp(1 - 7.0 / 5)));
  // Smoothing counts half a match among three triples, then a quarter among two quadruples.
  CHECK(bleu.precisions[2] == Approx(100 * 0.5 / 3));
  CHECK(bleu.precisions[3] == Approx(100 * 0.25 / 2));
  CHECK(bleu.score == Approx(100 * std::exp(-0.4) * std::pow(0.8 * 0.5 * (0.5 / 3) * (0.25 / 2), 0.25)));
}

TEST_CASE("equal texts score 100, texts without a common word 0", "[metrics][bleu]") {
  CHECK(corpus_bleu(hypotheses, {hypotheses}).score == Approx(100.0));
  const BleuScore bleu = corpus_bleu({"a b c d"}, {{"e f g h"}});
  CHECK(bleu.score == 0);
  CHECK(bleu.precisions == std::array<double, bleu_order>{});
}

TEST_CASE("without smoothing one missing order makes the score 0", "[metrics][bleu]") {
  BleuOptions options;
  options.smooth = BleuSmoothing::none;
  CHECK(corpus_bleu({"a b c d e"}, {{"a b x d e"}}, options).score == 0);
  CHECK(corpus_bleu({"a b c d e"}, {{"a b x d e"}}).score > 0);
}

TEST_CASE("floor counts a fixed share of a match where there is none", "[metrics][bleu]") {
  BleuOptions options;
  options.smooth = BleuSmoothing::floor;
  // 4 of 5 words, 2 of 4 pairs, 0.1 of 3 triples, 0.1 of 2 quadruples.
  CHECK(corpus_bleu({"a b c d e"}, {{"a b x d e"}}, options).score ==
        Approx(100 * std::pow(0.8 * 0.5 * (0.1 / 3) * (0.1 / 2), 0.25)));
  options.smooth_value = 0.4;
  CHECK(corpus_bleu({"a b c d e"}, {{"a b x d e"}}, options).score ==
        Approx(100 * std::pow(0.8 * 0.5 * (0.4 / 3) * (0.4 / 2), 0.25)));
  options.smooth_value = 0;
  CHECK(corpus_bleu({"a b c d e"}, {{"a b x d e"}}, options).score == 0);
}

TEST_CASE("add-k adds to matches and n-grams of the orders above 1", "[metrics][bleu]") {
  BleuOptions options;
  options.smooth = BleuSmoothing::add_k;
  const BleuScore bleu = corpus_bleu({"a b c d e"}, {{"a b x d e"}}, options);
  CHECK(bleu.score == Approx(100 * std::pow(0.8 * (3.0 / 5) * (1.0 / 4) * (1.0 / 3), 0.25)));
  CHECK(bleu.counts == Counts{4, 2, 0, 0});
  CHECK(bleu.smoothed_counts == std::array<double, bleu_order>{4, 3, 1, 1});
  CHECK(bleu.smoothed_totals == std::array<double, bleu_order>{5, 5, 4, 3});
  options.smooth_value = 0.5;
  CHECK(corpus_bleu({"a b"}, {{"a b"}}, options).score == Approx(100));  // no order lacks n-grams any more
  // Nothing is added where nothing matches.
  CHECK(corpus_bleu({"a b"}, {{"x"}}, options).smoothed_totals == std::array<double, bleu_order>{2, 1, 0, 0});
}

TEST_CASE("the effective order leaves out what a short sentence cannot have", "[metrics][bleu]") {
  BleuOptions options;
  options.effective_order = true;
  CHECK(corpus_bleu({"a b c"}, {{"a b c"}}, options).score == Approx(100));
  // 1 of 2 words and half a match of one pair.
  CHECK(corpus_bleu({"a b"}, {{"a c"}}, options).score == Approx(100 * std::sqrt(0.5 * 0.5)));
  CHECK(corpus_bleu({""}, {{"a"}}, options).score == 0);
}

TEST_CASE("BLEU's statistics of a sentence fit in a row and come back", "[metrics][bleu]") {
  const BleuStatistics statistics = bleu_statistics("a b c d e", {"a b x d e f"}, {});
  CHECK(statistics.summands() == Summands{5, 6, 4, 2, 0, 0, 5, 4, 3, 2});
  CHECK(BleuStatistics::of(statistics.summands()) == statistics);
}

TEST_CASE("texts of fewer than four words score 0, even equal ones", "[metrics][bleu]") {
  const BleuScore bleu = corpus_bleu({"a b c"}, {{"a b c"}});
  CHECK(bleu.totals == Counts{3, 2, 1, 0});
  CHECK(bleu.score == 0);
}

TEST_CASE("an empty hypothesis has brevity penalty 0, two empty texts 1", "[metrics][bleu]") {
  CHECK(corpus_bleu({""}, {{"a"}}).brevity_penalty == 0);
  CHECK(corpus_bleu({""}, {{""}}).brevity_penalty == 1);
  CHECK(corpus_bleu({""}, {{""}}).score == 0);
}

TEST_CASE("counts are clipped to the largest count in one reference", "[metrics][bleu]") {
  const BleuStatistics statistics = bleu_statistics("a a a a", {"a a b", "a b"}, {});
  CHECK(statistics.counts == Counts{2, 1, 0, 0});
  CHECK(statistics.reference_length == 3);
}

TEST_CASE("the closest reference counts for the length, the shorter of two", "[metrics][bleu]") {
  CHECK(bleu_statistics("a b c", {"a b c d e", "a b c d", "a b"}, {}).reference_length == 2);
  CHECK(bleu_statistics("a b c", {"a b c d", "a"}, {}).reference_length == 4);
  CHECK_THROWS_AS(bleu_statistics("a", {}, {}), Error);
}

TEST_CASE("the corpus score is the score of the summed statistics", "[metrics][bleu]") {
  BleuStatistics sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    sum += bleu_statistics(hypotheses[i], references_of(two_references, i), {});
  }
  CHECK(score_bleu(sum, {}).score == corpus_bleu(hypotheses, two_references).score);
}

// The expected numbers of the next two cases come from sacreBLEU 2.6.0:
// BLEU(lowercase=..., tokenize=...).corpus_score(hypotheses, references).

TEST_CASE("one reference scores as sacreBLEU scores it", "[metrics][bleu]") {
  const BleuScore bleu = corpus_bleu(hypotheses, one_reference);
  CHECK(bleu.score == Approx(36.85682895232582).margin(1e-9));
  CHECK(bleu.brevity_penalty == Approx(0.9459594689067654).margin(1e-12));
  CHECK(bleu.counts == Counts{12, 7, 4, 2});
  CHECK(bleu.totals == Counts{18, 15, 12, 9});
  BleuOptions options;
  options.lowercase = true;
  CHECK(corpus_bleu(hypotheses, one_reference, options).score == Approx(37.60178775537548).margin(1e-9));
  options = {};
  options.tokenize = TextTokenizer::none;
  CHECK(corpus_bleu(hypotheses, one_reference, options).score == Approx(24.60808118695353).margin(1e-9));
}

TEST_CASE("two references score as sacreBLEU scores them", "[metrics][bleu]") {
  const BleuScore bleu = corpus_bleu(hypotheses, two_references);
  CHECK(bleu.score == Approx(52.18150370271394).margin(1e-9));
  CHECK(bleu.counts == Counts{15, 10, 6, 3});
  CHECK(bleu.reference_length == 19);
}

TEST_CASE("the signature is sacreBLEU's", "[metrics][bleu]") {
  CHECK(corpus_bleu(hypotheses, one_reference).signature ==
        "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
  CHECK(bleu_signature({true, TextTokenizer::none, BleuSmoothing::none}, 2) ==
        "nrefs:2|case:lc|eff:no|tok:none|smooth:none|version:2.6.0");
}

TEST_CASE("the signature states the value of a smoothing that has one", "[metrics][bleu]") {
  BleuOptions options;
  options.smooth = BleuSmoothing::add_k;
  options.effective_order = true;
  CHECK(bleu_signature(options, 1) == "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:add-k[1.00]|version:2.6.0");
  options.smooth = BleuSmoothing::floor;
  options.smooth_value = 0.25;
  CHECK(bleu_signature(options, 1) == "nrefs:1|case:mixed|eff:yes|tok:13a|smooth:floor[0.25]|version:2.6.0");
}

TEST_CASE("smoothings are found by name", "[metrics][bleu]") {
  for (const std::string name : {"exp", "floor", "add-k", "none"}) {
    CHECK(smoothing_name(smoothing_named(name)) == name);
  }
  CHECK(smoothing_named("add-k") == BleuSmoothing::add_k);
  CHECK_THROWS_AS(smoothing_named("exponential"), Error);
}

}  // namespace moe
