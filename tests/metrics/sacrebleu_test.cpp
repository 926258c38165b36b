#include "metrics/sacrebleu.h"

#include "core/error.h"
#include "core/json.h"
#include "metrics/bleu.h"
#include "metrics/chrf.h"
#include "metrics/comparison/significance.h"
#include "tests/support/catch.h"

#include <cmath>

namespace moe {
namespace {

using Lines = std::vector<std::string>;

/// Generated sets in all modes with the scores that sacreBLEU 2.6.0 gave them: tools/compare_sacrebleu.py --store.
const Json& stored() {
  static const Json cases =
      read_json(std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "tests" / "metrics" / "sacrebleu_cases.json");
  return cases;
}

BleuOptions bleu_options(const Json& mode) {
  BleuOptions options;
  options.lowercase = mode.value("lowercase", false);
  options.tokenize = tokenizer_named(mode.value("tokenize", "13a"));
  options.smooth = smoothing_named(mode.value("smooth", "exp"));
  if (mode.contains("smooth_value")) options.smooth_value = mode.at("smooth_value").get<double>();
  options.effective_order = mode.value("sentence_level", false);
  return options;
}

ChrfOptions chrf_options(const Json& mode) {
  ChrfOptions options;
  options.lowercase = mode.value("lowercase", false);
  options.word_order = mode.value("word_order", 0);
  return options;
}

/// (score, signature) in a stored mode.
std::pair<double, std::string> score_in(const Json& mode, const Lines& hypotheses, const References& references) {
  if (mode.at("metric") == "bleu") {
    const BleuScore bleu = corpus_bleu(hypotheses, references, bleu_options(mode));
    return {bleu.score, bleu.signature};
  }
  const ChrfScore chrf = corpus_chrf(hypotheses, references, chrf_options(mode));
  return {chrf.score, chrf.signature};
}

References as_corpus(const Lines& sentences) {
  References references;
  for (const std::string& sentence : sentences) references.push_back({sentence});
  return references;
}

void replay(const Json& mode, const Lines& hypotheses, const References& references) {
  INFO(mode.dump());
  const Json& scores = mode.at("scores");
  const bool sentence_level = mode.value("sentence_level", false);
  REQUIRE(scores.size() == (sentence_level ? hypotheses.size() : 1));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto [score, signature] = sentence_level
                                        ? score_in(mode, {hypotheses[i]}, as_corpus(references_of(references, i)))
                                        : score_in(mode, hypotheses, references);
    CHECK(score == Approx(scores[i].get<double>()).margin(1e-9));
    CHECK(signature == mode.at("signature").get<std::string>());
  }
}

struct PairedCase {
  std::vector<SystemSummands> systems;
  ScoreOfSum score;
};

/// The stored systems as one metric sees them: BLEU or chrF++.
PairedCase paired_case(const Json& metric) {
  const Json& paired = stored().at("paired");
  const auto references = paired.at("references").get<References>();
  ChrfOptions chrf;
  chrf.word_order = 2;
  PairedCase result;
  for (const Lines system : paired.at("systems")) {
    SystemSummands rows;
    for (std::size_t i = 0; i < system.size(); ++i) {
      const Lines targets = references_of(references, i);
      rows.push_back(metric == "bleu" ? bleu_statistics(system[i], targets, {}).summands()
                                      : summands_of(chrf_statistics(system[i], targets, chrf)));
    }
    result.systems.push_back(rows);
  }
  result.score = [=](const Summands& sum) {
    return metric == "bleu" ? score_bleu(BleuStatistics::of(sum), {}).score
                            : score_chrf(chrf_statistics_of(sum), chrf.beta);
  };
  return result;
}

/// Other draws, so p values agree up to five standard errors of a difference of two estimates, mean and interval up to
/// a share of the interval that is as unlikely to be exceeded.
void check_result(const PairedResult& result, const Json& expected, int samples) {
  CHECK(result.score == Approx(expected.at("score").get<double>()).margin(1e-9));
  REQUIRE(result.p_value.has_value() == !expected.at("p_value").is_null());
  if (result.p_value) {
    const auto p = expected.at("p_value").get<double>();
    CHECK(*result.p_value == Approx(p).margin(5 * std::sqrt(2 * p * (1 - p) / samples)));
  }
  REQUIRE(result.spread.has_value() == !expected.at("ci").is_null());
  if (result.spread) {
    const auto ci = expected.at("ci").get<double>();
    CHECK(result.spread->mean == Approx(expected.at("mean").get<double>()).margin(0.04 * ci));
    CHECK(result.spread->half_width == Approx(ci).epsilon(0.07));
  }
}

}  // namespace

TEST_CASE("each reference needs one sentence for each hypothesis", "[metrics][sacrebleu]") {
  CHECK_NOTHROW(check_references({"a", "b"}, {{"c", "d"}, {"e", "f"}}));
  CHECK_THROWS_AS(check_references({}, {{}}), Error);
  CHECK_THROWS_AS(check_references({"a"}, {}), Error);
  CHECK_THROWS_WITH(check_references({"a", "b"}, {{"c", "d"}, {"e"}}),
                    "2 hypotheses cannot be scored against 1 reference sentences.");
}

TEST_CASE("the references of one sentence come in the order of the references", "[metrics][sacrebleu]") {
  CHECK(references_of({{"a", "b"}, {"c", "d"}}, 1) == std::vector<std::string>{"b", "d"});
}

TEST_CASE("stored sets score in every mode as sacreBLEU scored them", "[metrics][sacrebleu]") {
  REQUIRE(stored().at("sets").size() == 3);
  for (const Json& set : stored().at("sets")) {
    REQUIRE(set.at("modes").size() > 40);
    for (const Json& mode : set.at("modes")) {
      replay(mode, set.at("hypotheses").get<Lines>(), set.at("references").get<References>());
    }
  }
}

TEST_CASE("stored systems differ as significantly as sacreBLEU found", "[metrics][sacrebleu]") {
  const int samples = stored().at("paired").at("samples");
  REQUIRE(stored().at("paired").at("tests").size() == 4);
  for (const Json& test : stored().at("paired").at("tests")) {
    INFO(test.at("signature"));
    const bool bootstrap = test.at("test") == "bs";
    const PairedOptions options{bootstrap ? PairedTest::bootstrap : PairedTest::randomisation, samples};
    const auto [systems, score] = paired_case(test.at("metric"));
    const auto results = paired_test(systems, score, options);
    REQUIRE(results.size() == test.at("results").size());
    for (std::size_t i = 0; i < results.size(); ++i) check_result(results[i], test.at("results")[i], samples);
  }
}

}  // namespace moe
