#include "harness/report/charts/style.h"
#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

Json forest_of(const std::vector<Verdict>& verdicts) {
  const ResultFolder folder;
  return draw_chart("forest", folder, verdicts).value();
}

}  // namespace

TEST_CASE("a forest plot has a row for each claim that was measured, with both intervals") {
  Verdict wide = example_verdict("wide", VerdictKind::contradicted, -2);
  wide.says = "A claim whose words are so many that one line has no room for them all";
  const Json chart = forest_of({example_verdict("first", VerdictKind::supported, 1), untestable_verdict("none"), wide});
  REQUIRE(chart["vconcat"].size() == 1);
  const Json points = chart["vconcat"][0]["data"]["values"];
  REQUIRE(points.size() == 2);
  CHECK(points[0]["effect"] == 1.0);
  CHECK(points[0]["seeds_low"] == 0.5);
  CHECK(points[0]["sentences_high"].get<double>() == Approx(1.3));
  CHECK(points[0]["words"] ==
        "Claim first: supported. Effect +1.00, over 3 seeds +0.50 to +1.50, over sentences +0.70 to +1.30");
  CHECK(points[1]["place"] == 1);
  CHECK(points[1]["claim"] ==
        Json::array({"A claim whose words are so many that one line", "has no room for them all"}));
  CHECK_FALSE(points[0].contains("margin"));
  CHECK_FALSE(points[0].contains("band_low"));
}

TEST_CASE("a forest plot shows the margin, and the band of equality where a claim is about that") {
  Verdict beyond = example_verdict("beyond", VerdictKind::undecided, 0.4);
  beyond.margin = 0.5;
  beyond.delta = 0.5;
  Verdict equal = example_verdict("equal", VerdictKind::supported, 0.1);
  equal.kind = "equal";
  equal.delta = 0.5;
  const Json points = forest_of({beyond, equal})["vconcat"][0]["data"]["values"];
  CHECK(points[0]["margin"] == 0.5);
  CHECK_FALSE(points[0].contains("band_low"));
  CHECK(points[1]["band_low"] == -0.5);
  CHECK(points[1]["band_high"] == 0.5);
}

TEST_CASE("metrics have panels of their own, since their units differ") {
  Verdict loss = example_verdict("loss", VerdictKind::supported, 0.1);
  loss.metric = "loss";
  const Json chart = forest_of({loss, example_verdict("bleu", VerdictKind::supported, 1)});
  REQUIRE(chart["vconcat"].size() == 2);
  CHECK_THAT(chart["vconcat"][0]["layer"].dump(), has_text("effect in loss (nats per token)"));
  CHECK_THAT(chart["vconcat"][1]["layer"].dump(), has_text("effect in BLEU"));
}

TEST_CASE("without a measured claim there is no forest plot") {
  const ResultFolder folder;
  folder.write(example_result({}));
  CHECK_FALSE(draw_chart("forest", folder).has_value());
  CHECK_FALSE(draw_chart("forest", folder, {untestable_verdict("none")}).has_value());
}

}  // namespace moe
