#include "harness/results/result_set.h"

#include "core/error.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

#include <algorithm>

namespace moe {
namespace {

std::vector<std::string> run_ids(const ResultSet& results) {
  std::vector<std::string> ids;
  for (const RunResult& run : results.runs) ids.push_back(run.run_id);
  return ids;
}

std::string error_of(const ResultFolder& folder) {
  try {
    read_results({folder.path()}, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("runs stand in the order of routers, then strategies, experts and seeds") {
  const ResultFolder folder;
  folder.write(example_result({.router = "unheard-of", .label = "unheard-of"}));
  folder.write(example_result({.router = "thor", .label = "thor (consistency 0)"}));
  folder.write(example_result({.router = "thor", .label = "thor"}));
  folder.write(example_result({.experts = 16}));
  folder.write(example_result({.experts = 2, .seed = 10}));
  folder.write(example_result({.experts = 2, .seed = 9}));
  const ResultSet results = read_results({folder.path()}, {"switch", "thor"});
  CHECK(run_ids(results) == std::vector<std::string>{"switch-e2-s9-de-en", "switch-e2-s10-de-en", "switch-e16-s1-de-en",
                                                     "thor-e4-s1-de-en", "thor (consistency 0)-e4-s1-de-en",
                                                     "unheard-of-e4-s1-de-en"});
}

TEST_CASE("a setting names what differs besides strategy and seed, and nothing that follows from it") {
  const ResultFolder folder;
  Json small = example_result({.seed = 1});
  Json large = example_result({.seed = 2});
  large["config"]["model"] = {{"preset", "small"}, {"width", 256}};  // the width comes with the preset
  large["config"]["data"]["root"] = "/elsewhere";
  folder.write(small);
  folder.write(large);
  const ResultSet results = read_results({folder.path()}, {});
  CHECK(results.axes == std::vector<std::string>{"model.preset", "model.width", "training.seed"});
  std::vector<std::string> settings = {results.runs[0].setting, results.runs[1].setting};
  std::sort(settings.begin(), settings.end());
  CHECK(settings == std::vector<std::string>{"preset small", "preset tiny"});
}

TEST_CASE("several folders are merged, and a finished result goes before a failed one of the same run") {
  const ResultFolder first;
  const ResultFolder second;
  first.write(failed_result({}, "It failed."));
  second.write(example_result({}));
  second.write(example_result({.seed = 2}));
  std::filesystem::create_directories(second.path() / "runs/still-running");
  const ResultSet results = read_results({first.path(), second.path()}, {});
  REQUIRE(results.runs.size() == 2);
  CHECK(results.runs[0].finished());
  CHECK(results.repeated == 1);
  CHECK(results.unfinished == 1);
}

TEST_CASE("the name is that of the sweep, or else of the folder") {
  const ResultFolder folder;
  CHECK(read_results({folder.path()}, {}).name == folder.path().filename().string());
  write_file(folder.path() / "sweep.json", R"({"name": "my sweep"})");
  CHECK(read_results({folder.path()}, {}).name == "my sweep");
}

TEST_CASE("a result that cannot be read stops with its file and JSON path") {
  const ResultFolder folder;
  Json result = example_result({});
  SECTION("missing key") {
    result["parameters"].erase("total");
    const std::string file = folder.write(result).string();
    CHECK(error_of(folder) == file + ": parameters: the key \"total\" is missing.");
  }
  SECTION("wrong type in a list") {
    result["scores"][0]["bleu"]["score"] = "high";
    const std::string file = folder.write(result).string();
    CHECK(error_of(folder) == file + ": scores[0].bleu.score: a number was expected, not \"high\".");
  }
  SECTION("another schema") {
    result["schema_version"] = 7;
    const std::string file = folder.write(result).string();
    CHECK(error_of(folder) == file + ": schema_version is 7; this program reads version 1.");
  }
  SECTION("an unknown status") {
    result["status"] = "resting";
    folder.write(result);
    CHECK_THAT(error_of(folder), has_text("status is \"resting\""));
  }
  SECTION("broken JSON") {
    write_file(folder.path() / "runs/a/result.json", "{");
    CHECK_THAT(error_of(folder), has_text("runs/a/result.json:1:"));
  }
  SECTION("no runs") {
    std::filesystem::remove(folder.path() / "runs");
    CHECK_THAT(error_of(folder), has_text("has no folder runs/"));
  }
}

TEST_CASE("what was not finite is null in a result, and missing here") {
  const ResultFolder folder;
  Json result = example_result({});
  result["curve"][1]["valid_loss"] = nullptr;
  folder.write(result);
  const ResultSet results = read_results({folder.path()}, {});
  CHECK_FALSE(results.runs[0].curve[1].valid_loss.has_value());
  CHECK(results.runs[0].curve[1].valid_bleu == 20.0);
}

}  // namespace moe
