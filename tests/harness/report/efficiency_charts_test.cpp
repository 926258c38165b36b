#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

#include <cmath>

namespace moe {
namespace {

/// Sizes are 1 M parameters an expert.
void write_sizes(const ResultFolder& folder) {
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1, .bleu = 28}));
  folder.write(example_result({.experts = 2, .bleu = 27}));  // larger than dense and worse
  folder.write(example_result({.experts = 4, .bleu = 30}));
  folder.write(example_result({.experts = 8, .bleu = 31, .undertrained = true}));  // wins nothing
}

std::vector<bool> on_front(const Json& points) {
  std::vector<bool> marks;
  for (const Json& point : points) marks.push_back(point.contains("front"));
  return marks;
}

}  // namespace

TEST_CASE("the Pareto front has what nothing cheaper beats, and nothing undertrained") {
  const ResultFolder folder;
  write_sizes(folder);
  CHECK(on_front(chart_values("parameter_efficiency", folder)) == std::vector<bool>{true, false, true, false});
  CHECK_THAT(draw_chart("parameter_efficiency", folder)->at("title").dump(), has_text("what nothing cheaper beats"));
}

TEST_CASE("where all cost the same, parameters alone have a chart") {
  const ResultFolder folder;
  write_sizes(folder);
  CHECK_FALSE(draw_chart("active_efficiency", folder).has_value());
  CHECK(draw_chart("parameter_efficiency", folder).has_value());
}

TEST_CASE("a faster decoder is better, so the front goes the other way") {
  const ResultFolder folder;
  const auto write = [&](const char* router, double bleu, double speed) {
    Json result = example_result({.router = router, .label = router, .bleu = bleu});
    result["measurements"]["decoded_sentences_per_second"] = speed;
    folder.write(result);
  };
  write("dense", 28, 100);
  write("switch", 30, 50);
  write("thor", 27, 80);  // slower than dense and worse
  const Json points = chart_values("decoding_efficiency", folder);
  CHECK(points[0]["cost"] == 100.0);
  CHECK(on_front(points) == std::vector<bool>{true, true, false});
  CHECK_THAT(draw_chart("decoding_efficiency", folder)->at("layer").dump(), has_text("step-before"));
}

TEST_CASE("the noise floor is the deviation over seeds, pooled, around dense") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2, 3}) {
    const auto shift = static_cast<double>(seed - 2);
    folder.write(example_result({.router = "dense", .label = "dense", .experts = 1, .seed = seed, .bleu = 28 + shift}));
    folder.write(example_result({.seed = seed, .bleu = 30 + 2 * shift}));
  }
  const Json points = chart_values("parameter_efficiency", folder);
  // Variances 1 and 4 with two degrees of freedom each: (2 + 8) / 4.
  CHECK(points[0]["band_high"].get<double>() == Approx(28 + std::sqrt(2.5)));
  CHECK(points[0]["band_low"].get<double>() == Approx(28 - std::sqrt(2.5)));
  CHECK_FALSE(points[1].contains("band_low"));
}

TEST_CASE("without dense the noise floor stands around the best, and with one seed there is none") {
  const ResultFolder folder;
  folder.write(example_result({.experts = 2, .bleu = 29}));
  CHECK_FALSE(chart_values("parameter_efficiency", folder)[0].contains("band_low"));
  for (const std::int64_t seed : {1, 2}) {
    folder.write(example_result({.seed = seed, .bleu = 30 + static_cast<double>(seed)}));
  }
  CHECK(chart_values("parameter_efficiency", folder)[1].contains("band_low"));
}

TEST_CASE("times of different machines do not compare, and a cost that was not measured has no chart") {
  const ResultFolder folder;
  folder.write(example_result({}));
  CHECK_FALSE(draw_chart("time_efficiency", folder).has_value());
  CHECK_FALSE(draw_chart("decoding_efficiency", folder).has_value());
  double seconds = 50;
  for (const char* cpu : {"One CPU", "Another CPU"}) {
    Json result = example_result({.router = cpu, .label = cpu});
    result["run_id"] = cpu;
    result["measurements"]["host"]["cpu"] = cpu;
    result["measurements"]["seconds"] = {{"total", 90.0}, {"training", seconds}, {"validation", 5.0}, {"test", 5.0}};
    seconds += 20;
    folder.write(result);
  }
  const Json chart = draw_chart("time_efficiency", folder).value();
  CHECK(chart["data"]["values"].size() == 2);
  CHECK(chart["data"]["values"][1]["cost"] == 50.0);
  CHECK_THAT(chart["title"].dump(), has_text("Measured on different machines"));
  CHECK_THAT(draw_chart("parameter_efficiency", folder)->at("title").dump(), !has_text("different machines"));
}

}  // namespace moe
