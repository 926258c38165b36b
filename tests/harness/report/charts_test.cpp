#include "core/text.h"
#include "harness/report/charts/style.h"
#include "tests/harness/charts_fixture.h"
#include "tests/support/catch.h"

#include <set>

namespace moe {
namespace {

void write_strategies(const ResultFolder& folder, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string name = "router" + std::to_string(10 + i);
    folder.write(example_result({.router = name, .label = name}));
  }
}

/// Every object with a legend below a node of a specification.
void find_legends(const Json& node, std::vector<Json>& found) {
  if (node.is_object() && node.contains("legend") && node.contains("field")) found.push_back(node);
  for (const Json& item : node) {
    if (item.is_structured()) find_legends(item, found);
  }
}

void write_three_strategies(const ResultFolder& folder) {
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1, .bleu = 28}));
  folder.write(example_result({.router = "thor", .label = "thor", .undertrained = true}));
  folder.write(example_result({.experts = 2, .bleu = 29}));
  folder.write(example_result({.experts = 4}));
}

}  // namespace

TEST_CASE("every chart has a name of its own, a title and a caption") {
  std::set<std::string> names;
  for (const Chart& chart : all_charts()) {
    CHECK(names.insert(chart.name).second);
    CHECK_FALSE(chart.title.empty());
    CHECK(chart.caption.ends_with("."));
  }
}

TEST_CASE("no chart shows anything where no run has finished") {
  const ResultFolder folder;
  for (const Chart& chart : all_charts()) CHECK_FALSE(draw_chart(chart.name, folder).has_value());
  folder.write(failed_result({}, "It failed."));
  for (const Chart& chart : all_charts()) CHECK_FALSE(draw_chart(chart.name, folder).has_value());
}

TEST_CASE("every chart says on its face what it cannot show") {
  const ResultFolder folder;
  write_three_strategies(folder);
  for (const char* name : {"parameter_efficiency", "validation_curves", "speed"}) {
    const std::string subtitle = draw_chart(name, folder)->at("title").at("subtitle").dump();
    CHECK_THAT(subtitle, has_text("One seed each: differences are not tested."));
    CHECK_THAT(subtitle, has_text("undertrained"));
  }
}

TEST_CASE("parameter efficiency has a point for each configuration, in display order") {
  const ResultFolder folder;
  write_three_strategies(folder);
  const Json points = draw_chart("parameter_efficiency", folder)->at("data").at("values");
  REQUIRE(points.size() == 4);
  CHECK(points[0]["strategy"] == "dense");
  CHECK(points[1]["strategy"] == "switch");
  CHECK(points[1]["cost"] == 2e6);
  CHECK(points[1]["bleu"] == 29.0);
  CHECK(points[2]["place"] == 4e6);  // without intervals a point stands at its size
  CHECK(points[2]["undertrained"] == false);
  CHECK(points[3]["undertrained"] == true);
  CHECK_FALSE(points[0].contains("low"));
}

TEST_CASE("parameter efficiency sets strategies of one size side by side when they have intervals") {
  const ResultFolder folder;
  for (const std::int64_t seed : {1, 2}) {
    folder.write(example_result({.seed = seed, .bleu = 29.0 + static_cast<double>(seed)}));
    folder.write(example_result({.router = "thor", .label = "thor", .seed = seed}));
  }
  const Json points = draw_chart("parameter_efficiency", folder)->at("data").at("values");
  REQUIRE(points.size() == 2);
  CHECK(points[0]["bleu"] == 30.5);
  CHECK(points[0]["low"].get<double>() == Approx(30.5 - 12.7062 * 0.5));  // t = 12.7062, s / sqrt(2) = 0.5
  CHECK(points[0]["place"].get<double>() < 4e6);
  CHECK(points[1]["place"].get<double>() > 4e6);
}

TEST_CASE("validation curves take the most experts and average seeds") {
  const ResultFolder folder;
  folder.write(example_result({.experts = 2}));
  folder.write(example_result({.experts = 4, .seed = 1}));
  Json other = example_result({.experts = 4, .seed = 2});
  other["curve"][1]["valid_loss"] = 2.7;
  folder.write(other);
  const Json points = draw_chart("validation_curves", folder)->at("data").at("values");
  REQUIRE(points.size() == 4);  // two figures at two updates
  for (const Json& point : points) CHECK(point["experts"] == 4);
  CHECK(points[3]["update"] == 200);
  CHECK(points[3]["value"].get<double>() == Approx(2.6));
  CHECK(points[3]["last"] == true);
}

TEST_CASE("long validation curves leave out their first quarter") {
  const ResultFolder folder;
  Json result = example_result({});
  result["curve"] = Json::array();
  for (int update = 100; update <= 1200; update += 100) {
    result["curve"].push_back({{"update", update}, {"valid_loss", 2.0}, {"valid_bleu", 20.0}});
  }
  folder.write(result);
  const Json chart = *draw_chart("validation_curves", folder);
  CHECK(chart["data"]["values"][0]["update"] == 300);
  CHECK_THAT(chart["title"]["subtitle"].dump(), has_text("from update 300 on"));
}

TEST_CASE("expert load is relative to an even share, and strategies without a choice are left out") {
  const ResultFolder folder;
  write_three_strategies(folder);
  const Json cells = draw_chart("expert_load", folder)->at("data").at("values");
  REQUIRE(cells.size() == 8);  // switch and thor, four experts, one layer
  CHECK(cells[0]["panel"] == "switch, 4 experts");
  CHECK(cells[0]["layer"] == "encoder 1");
  CHECK(cells[0]["load"].get<double>() == Approx(2));  // half of the tokens, four experts
  CHECK(cells[1]["load"].get<double>() == Approx(4.0 / 6));
  CHECK(cells[0]["words"] == "switch, 4 experts, encoder 1: expert 0 has 2.00 of an even share");
  CHECK(cells[4]["panel"] == "thor †, 4 experts");
}

TEST_CASE("expert load has nothing to show for dense runs") {
  const ResultFolder folder;
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  CHECK_FALSE(draw_chart("expert_load", folder).has_value());
}

TEST_CASE("speed has a bar for each configuration") {
  const ResultFolder folder;
  write_three_strategies(folder);
  const Json bars = draw_chart("speed", folder)->at("data").at("values");
  REQUIRE(bars.size() == 4);
  CHECK(bars[0]["row"] == "dense");
  CHECK(bars[1]["row"] == "switch, 2 experts");
  CHECK(bars[3]["row"] == "thor †, 4 experts");
  CHECK(bars[3]["value"] == 5000.0);
  CHECK(bars[3]["undertrained"] == true);
  CHECK(bars[3]["words"] == "thor †, 4 experts: 5000 tokens/s");
}

TEST_CASE("speeds of runs that worked side by side are shown nowhere") {
  const ResultFolder folder;
  const auto write = [&](int jobs) {
    for (const std::int64_t experts : {2, 4}) {
      Json result = example_result({.experts = experts});
      result["measurements"]["host"]["jobs"] = jobs;
      result["measurements"]["seconds"]["training"] = 10.0 * static_cast<double>(experts);
      result["measurements"]["decoded_sentences_per_second"] = 10.0 * static_cast<double>(experts);
      folder.write(result);
    }
  };
  write(1);
  for (const char* name : {"speed", "time_efficiency", "decoding_efficiency"}) CHECK(draw_chart(name, folder));
  write(2);
  for (const char* name : {"speed", "time_efficiency", "decoding_efficiency"}) CHECK_FALSE(draw_chart(name, folder));
  const ResultSet results = read_results({folder.path()}, {});
  const ResultsTable table = make_results_table(results);
  const std::vector<std::string> header = format_results(table).header;
  CHECK(std::find(header.begin(), header.end(), "tokens/s") == header.end());
  CHECK_THAT(join(table_notes(table), "\n"), has_text("Runs worked side by side"));
}

TEST_CASE("settings become panels") {
  const ResultFolder folder;
  folder.write(example_result({.directions = {"de-en"}}));
  folder.write(example_result({.directions = {"fr-en"}}));
  CHECK(draw_chart("parameter_efficiency", folder)->at("facet").at("sort") == Json({"test · de-en", "test · fr-en"}));
  CHECK(draw_chart("validation_curves", folder)->at("facet").at("row").at("sort") == Json({"de-en", "fr-en"}));
  CHECK(draw_chart("speed", folder)->at("facet").contains("row"));
}

TEST_CASE("legends name every strategy, up to twenty in a column") {
  for (const auto& [strategies, columns] : {std::pair(5, 1), std::pair(20, 1), std::pair(38, 2), std::pair(41, 3)}) {
    CAPTURE(strategies);
    const ResultFolder folder;
    write_strategies(folder, strategies);
    for (const char* name : {"parameter_efficiency", "validation_curves"}) {
      std::vector<Json> channels;
      find_legends(*draw_chart(name, folder), channels);
      std::size_t shown = 0;
      for (const Json& channel : channels) {
        if (channel["legend"].is_null()) continue;
        ++shown;
        CHECK(channel["scale"]["domain"].size() == static_cast<std::size_t>(strategies));
        CHECK(channel["legend"]["symbolLimit"] == 0);  // no limit; Vega's own is 30 entries
        CHECK(channel["legend"]["columns"] == columns);
      }
      CHECK(shown >= 3);  // colour of lines and points, shape of points
    }
  }
}

TEST_CASE("what marks say of themselves is in words") {
  const ResultFolder folder;
  write_three_strategies(folder);
  CHECK(chart_values("parameter_efficiency", folder)[3]["words"] ==
        "thor †, 4 experts: BLEU 30.0; total parameters 4.00 M");
  CHECK(chart_values("validation_curves", folder)[3]["words"] == "dense: loss 2.5 after 200 updates");
}

TEST_CASE("numbers in words have three digits and a prefix") {
  CHECK(prefixed(63328) == "63.3 k");
  CHECK(prefixed(999.7) == "1.00 k");
  CHECK(prefixed(1.2e15) == "1.20 P");
  CHECK(prefixed(12) == "12.0");
  CHECK(prefixed(354) == "354");
}

TEST_CASE("a strategy looks the same in every chart, and no two look alike") {
  const ResultFolder folder;
  write_strategies(folder, 60);
  const ResultSet results = read_results({folder.path()}, {});
  const StrategyStyles styles(make_results_table(results));
  std::set<std::string> lines, points;
  for (std::size_t i = 0; i < 60; ++i) {
    const std::string colour = styles.colour_scale()["range"][i].dump();
    lines.insert(colour + styles.dash_scale()["range"][i].dump());
    points.insert(colour + styles.shape_scale()["range"][i].dump());
  }
  CHECK(lines.size() == 60);
  CHECK(points.size() == 60);
  CHECK(styles.colour("router10") == styles.colour_scale()["range"][0].get<std::string>());
}

}  // namespace moe
