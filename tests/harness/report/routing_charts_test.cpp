#include "harness/results/routing_choices.h"
#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

#include <numbers>

namespace moe {
namespace {

/// A finished run whose one MoE layer has these members too.
Json run_with_layer(const RunChoice& choice, const Json& members) {
  Json result = example_result(choice);
  result["routing"][0].update(members);
  return result;
}

}  // namespace

TEST_CASE("figures of a layer are means over seeds, and dense runs have none") {
  const ResultFolder folder;
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  for (const std::int64_t seed : {1, 2}) {
    const double value = 0.1 * static_cast<double>(seed);
    folder.write(
        run_with_layer({.seed = seed, .undertrained = seed == 2}, {{"confidence", value}, {"flip_rate", value}}));
  }
  for (const char* name : {"confidence", "flip_rate"}) {
    CAPTURE(name);
    const Json cells = chart_values(name, folder);
    REQUIRE(cells.size() == 1);
    CHECK(cells[0]["row"] == "switch †, 4 experts");
    CHECK(cells[0]["layer"] == "encoder 1");
    CHECK(cells[0]["value"].get<double>() == Approx(0.15));
    CHECK_THAT(draw_chart(name, folder)->at("title").dump(), has_text("†: undertrained."));
  }
}

TEST_CASE("entropy of the load is relative to even shares") {
  const ResultFolder folder;
  folder.write(run_with_layer({.experts = 4}, {{"entropy", std::numbers::ln2}}));
  CHECK(chart_values("load_entropy", folder)[0]["value"].get<double>() == Approx(0.5));
}

TEST_CASE("specialisation needs two language pairs") {
  const ResultFolder folder;
  const auto loads = [](const std::vector<double>& first, const std::vector<double>& second) {
    return Json{{"load_by_direction",
                 Json::array({{{"direction", "de-en"}, {"load", first}}, {{"direction", "fr-en"}, {"load", second}}})}};
  };
  folder.write(run_with_layer({.experts = 2}, loads({1, 0}, {1, 0})));
  CHECK(chart_values("specialisation", folder)[0]["value"].get<double>() == Approx(0).margin(1e-12));
  folder.write(run_with_layer({.experts = 2}, loads({1, 0}, {0, 1})));
  CHECK(chart_values("specialisation", folder)[0]["value"].get<double>() == Approx(1));
  const ResultFolder alone;
  alone.write(example_result({}));
  CHECK_FALSE(draw_chart("specialisation", alone).has_value());
}

TEST_CASE("the load by language pair has a panel for each layer and a line for each pair") {
  const ResultFolder folder;
  folder.write(run_with_layer({.experts = 2},
                              {{"load_by_direction", Json::array({{{"direction", "de-en"}, {"load", {0.75, 0.25}}},
                                                                  {{"direction", "fr-en"}, {"load", {0.0, 1.0}}}})}}));
  const Json cells = chart_values("language_load", folder);
  REQUIRE(cells.size() == 4);
  CHECK(cells[0]["panel"] == "switch, encoder 1");
  CHECK(cells[0]["direction"] == "de-en");
  CHECK(cells[0]["load"] == 1.5);
  CHECK(cells[3]["load"] == 2.0);
  const ResultFolder alone;
  alone.write(example_result({}));
  CHECK_FALSE(draw_chart("language_load", alone).has_value());
}

TEST_CASE("saturation stands at the updates of the earlier validations") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2}) {
    folder.write(run_with_layer({.seed = seed}, {{"saturation", {0.2 * static_cast<double>(seed)}}}));
  }
  const Json points = chart_values("saturation", folder);
  REQUIRE(points.size() == 1);
  CHECK(points[0]["update"] == 100);
  CHECK(points[0]["share"].get<double>() == Approx(0.3));
}

TEST_CASE("routing swaps have a bar for each swap and strategy, with an interval over seeds") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2}) {
    Json result = example_result({.seed = seed});
    const double added = 0.1 * static_cast<double>(seed);
    result["routing_swaps"] = Json::array({{{"swap", "random"}, {"loss", 2.0}, {"added", added}},
                                           {{"swap", "second_best"}, {"loss", nullptr}, {"added", nullptr}}});
    folder.write(result);
  }
  const Json bars = chart_values("routing_swaps", folder);
  REQUIRE(bars.size() == 1);
  CHECK(bars[0]["swap"] == "random choices");
  CHECK(bars[0]["value"].get<double>() == Approx(0.15));
  CHECK(bars[0]["low"].get<double>() < 0.1);
  CHECK_THAT(draw_chart("routing_swaps", folder)->at("title").dump(),
             has_text("the choice of experts is worth nothing"));
  const ResultFolder without;
  without.write(example_result({}));
  CHECK_FALSE(draw_chart("routing_swaps", without).has_value());
}

TEST_CASE("inference modes have a bar for each way to evaluate, less the mean of all outputs") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2}) {
    Json result = example_result({.router = "thor", .experts = 2, .seed = seed});
    const auto mode = [](const char* name, double loss, const Json& deviation, int evaluations) {
      return Json{{"mode", name}, {"loss", loss}, {"deviation", deviation}, {"evaluations", evaluations}};
    };
    const double added = 0.1 * static_cast<double>(seed);
    result["inference"] = {
        {"modes", {mode("token", 2 + added, 0.01, 3), mode("mean", 2, nullptr, 1), mode("fixed", 2.5, 0.02, 2)}},
        {"expert_disagreement", 0.02 * static_cast<double>(seed)}};
    folder.write(result);
  }
  const Json bars = chart_values("inference_modes", folder);
  REQUIRE(bars.size() == 3);
  CHECK(bars[0]["row"] == "mean of all outputs");
  CHECK(bars[0]["value"] == 0.0);
  CHECK(bars[1]["row"] == "drawn for a token");
  CHECK(bars[1]["value"].get<double>() == Approx(0.15));
  CHECK_THAT(bars[1]["words"].get<std::string>(), has_text("0.0100 standard deviation between draws"));
  CHECK_THAT(bars[2]["words"].get<std::string>(), has_text("between experts"));
  CHECK_THAT(draw_chart("inference_modes", folder)->at("title").dump(), has_text("for 2.0 to 4.0 % of them"));
  const ResultFolder without;
  without.write(example_result({}));
  CHECK_FALSE(draw_chart("inference_modes", without).has_value());
}

TEST_CASE("seeds whose experts have other numbers agree") {
  const ResultFolder folder;
  const std::vector<RoutingChoices> choices = {{{0, 0, 1, 1}}, {{1, 1, 0, 0}}};
  for (const std::int64_t seed : {1, 2}) {
    Json result = example_result({.experts = 2, .seed = seed});
    result["routing_choices"] = "routing_choices.txt";
    const std::filesystem::path file = folder.write(result);
    if (seed == 1) CHECK_FALSE(draw_chart("seed_agreement", folder).has_value());  // nothing to agree with
    write_routing_choices(file.parent_path() / "routing_choices.txt", choices[static_cast<std::size_t>(seed - 1)]);
  }
  const Json points = chart_values("seed_agreement", folder);
  REQUIRE(points.size() == 1);
  CHECK(points[0]["share"] == 1.0);
  CHECK(points[0]["chance"] == 0.5);
  CHECK(points[0]["words"] ==
        "switch, 2 experts, encoder 1: 100 % of the tokens go to matching experts, 50 % by chance");
}

TEST_CASE("agreement is of the most experts that can be matched, and not of drawn ones") {
  const ResultFolder folder;
  const auto write = [&](const RunChoice& choice, const std::vector<double>& draws) {
    Json result = example_result(choice);
    result["routing_choices"] = "choices.txt";
    result["scores"][0]["bleu"]["draws"] = draws;
    write_routing_choices(folder.write(result).parent_path() / "choices.txt", {{0, 0, 1, 1}});
  };
  for (const std::int64_t seed : {1, 2}) {
    for (const std::int64_t experts : {2, 8, 128}) write({.experts = experts, .seed = seed}, {30});
    write({.router = "thor", .label = "thor", .experts = 2, .seed = seed}, {30, 31});
  }
  const Json points = chart_values("seed_agreement", folder);
  REQUIRE(points.size() == 1);
  CHECK(points[0]["row"] == "switch, 8 experts");
}

}  // namespace moe
