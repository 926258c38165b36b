#include "harness/report/tables/budget_table.h"

#include "routers/registry.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// A run whose validations have (update, FLOPs, seconds, BLEU).
Json run_with(const RunChoice& choice, const std::vector<std::array<double, 4>>& points) {
  Json result = example_result(choice);
  Json curve = Json::array(), seconds = Json::array();
  for (const auto& [update, flops, second, bleu] : points) {
    curve.push_back({{"update", static_cast<int>(update)},
                     {"flops", flops},
                     {"valid_loss", 2.0},
                     {"valid_perplexity", 7.4},
                     {"valid_bleu", bleu}});
    seconds.push_back(second);
  }
  result["curve"] = curve;
  result["measurements"]["curve_seconds"] = seconds;
  return result;
}

std::vector<std::vector<std::string>> rows_of(const ResultFolder& folder) {
  const ResultSet results = read_results({folder.path()}, router_names());
  return budget_table(make_results_table(results)).rows;
}

}  // namespace

TEST_CASE("budgets are equal where the cheapest run ends, and BLEU lies on a line between validations") {
  const ResultFolder folder;
  // thor's updates cost twice as much: at 100 updates both end, at 100 FLOPs and 10 seconds dense ends.
  folder.write(run_with({.router = "dense", .label = "dense", .experts = 1}, {{50, 50, 5, 10}, {100, 100, 10, 20}}));
  folder.write(run_with({.router = "thor", .label = "thor", .experts = 4}, {{40, 80, 8, 12}, {100, 200, 20, 24}}));
  folder.write(imported_result("of another program, without a budget", 1, 40));
  const auto rows = rows_of(folder);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == std::vector<std::string>{"dense", "–", "20.0", "20.0", "20.0"});
  // 100 of 80 to 200 FLOPs: a sixth of the way from 12 to 24.
  CHECK(rows[1] == std::vector<std::string>{"thor", "4", "24.0", "14.0", "14.0"});
}

TEST_CASE("a budget before the first validation has no score, nor has a run without times") {
  const ResultFolder folder;
  folder.write(run_with({.router = "dense", .label = "dense", .experts = 1}, {{10, 10, 1, 5}, {20, 20, 2, 7}}));
  Json late = run_with({.router = "thor", .label = "thor"}, {{20, 80, 8, 12}});
  late["measurements"].erase("curve_seconds");
  folder.write(late);
  const auto rows = rows_of(folder);
  REQUIRE(rows.size() == 2);
  CHECK(rows[1] == std::vector<std::string>{"thor", "4", "12.0", "–", "–"});
}

TEST_CASE("times of runs that worked side by side are left out") {
  const ResultFolder folder;
  for (const RunChoice& choice : {RunChoice{.router = "dense", .label = "dense", .experts = 1}, RunChoice{}}) {
    Json run = run_with(choice, {{10, 10, 1, 5}, {20, 20, 2, 7}});
    run["measurements"]["host"]["jobs"] = 2;
    folder.write(run);
  }
  CHECK(rows_of(folder)[0] == std::vector<std::string>{"dense", "–", "7.0", "7.0"});
}

TEST_CASE("one configuration is compared with nothing") {
  const ResultFolder folder;
  folder.write(run_with({}, {{10, 10, 1, 5}}));
  CHECK(rows_of(folder).empty());
}

}  // namespace moe
