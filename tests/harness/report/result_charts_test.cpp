#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// A run with a setting of its configuration, and the digest of the data that follows from it.
Json run_at(const RunChoice& choice, const char* section, const char* key, const Json& value) {
  Json result = example_result(choice);
  result["config"][section][key] = value;
  result["run_id"] = result["run_id"].get<std::string>() + "-" + value.dump();
  return result;
}

}  // namespace

TEST_CASE("BLEU against the number of experts needs two numbers of one strategy") {
  const ResultFolder folder;
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  folder.write(example_result({.experts = 2, .bleu = 29}));
  CHECK_FALSE(draw_chart("experts", folder).has_value());
  folder.write(example_result({.experts = 4, .bleu = 31}));
  CHECK_THAT(draw_chart("experts", folder)->at("title").dump(), !has_text("Along the lines"));
  const Json points = chart_values("experts", folder);
  REQUIRE(points.size() == 3);
  CHECK(points[0]["number"] == 1.0);  // dense
  CHECK(points[2]["number"] == 4.0);
  CHECK(points[2]["bleu"] == 31.0);
}

TEST_CASE("shares of the training data are places on an axis, not panels, though their digests differ") {
  const ResultFolder folder;
  int digest = 0;
  for (const double share : {0.25, 1.0}) {
    Json result = run_at({.bleu = 20 + 10 * share}, "data", "train_share", share);
    result["data_digest"] = "000000000000000" + std::to_string(digest++);
    result["config"]["training"]["tokens_per_batch"] = 1024 * share;
    folder.write(result);
  }
  CHECK_THAT(draw_chart("corpus_size", folder)->at("title").dump(),
             has_text("Along the lines change also: tokens per batch."));
  const Json points = chart_values("corpus_size", folder);
  REQUIRE(points.size() == 2);
  CHECK(points[0]["number"] == 0.25);
  CHECK(points[0]["panel"] == points[1]["panel"]);
  CHECK(points[1]["bleu"] == 30.0);
}

TEST_CASE("consistency against dropout is shown where a strategy crosses two values of both") {
  const ResultFolder folder;
  const auto write = [&](double weight, double dropout, bool undertrained) {
    Json result = run_at({.router = "thor", .label = "thor " + std::to_string(weight), .undertrained = undertrained},
                         "model", "dropout", dropout);
    result["config"]["strategy"]["objective"] = {{"passes", 2}, {"consistency", weight}};
    folder.write(result);
  };
  write(5, 0.1, false);
  write(0, 0.3, true);
  CHECK_FALSE(draw_chart("consistency_dropout", folder).has_value());  // which of the two made the difference?
  write(5, 0.3, false);
  write(0, 0.1, false);
  const Json cells = chart_values("consistency_dropout", folder);
  REQUIRE(cells.size() == 4);
  CHECK(cells[0]["weight"] == 0.0);  // ascending
  CHECK(cells[0]["panel"] == "thor, 4 experts");
  CHECK(cells[1]["number"] == "30.0 †");
  CHECK(cells[3]["row"] == "5.0");
}

TEST_CASE("every draw of an evaluation is a point, beside their mean") {
  const ResultFolder folder;
  folder.write(example_result({}));
  CHECK_FALSE(draw_chart("draws", folder).has_value());
  Json result = example_result({.router = "thor", .label = "thor"});
  result["scores"][0]["bleu"] = {
      {"score", 30.0}, {"standard_deviation", 0.25}, {"draws", {29.75, 30.25}}, {"signature", "b"}};
  folder.write(result);
  const Json points = chart_values("draws", folder);
  REQUIRE(points.size() == 2);
  CHECK(points[0]["row"] == "thor, 4 experts, seed 1");
  CHECK(points[0]["bleu"] == 29.75);
  CHECK(points[1]["mean"] == 30.0);
}

TEST_CASE("memory has a bar in megabytes for each configuration that measured it") {
  const ResultFolder folder;
  folder.write(example_result({.experts = 2}));
  Json result = example_result({.experts = 4});
  result["measurements"]["peak_memory_bytes"] = 250000000;
  folder.write(result);
  const Json bars = chart_values("memory", folder);
  REQUIRE(bars.size() == 1);
  CHECK(bars[0]["value"] == 250.0);
}

}  // namespace moe
