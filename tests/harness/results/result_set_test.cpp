#include "harness/results/result_set.h"

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

/// Why the only result of the folder is left out.
std::string reason_of(const ResultFolder& folder) {
  const ResultSet results = read_results({folder.path()}, {});
  REQUIRE(results.left_out.size() == 1);
  CHECK(results.runs.empty());
  return results.left_out.front();
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

TEST_CASE("what was tuned for each strategy does not part them in charts, and all else does") {
  const ResultFolder folder;
  for (const int seed : {1, 2}) {
    Json dense = example_result({.router = "dense", .label = "dense", .experts = 1, .seed = seed});
    Json gated = example_result({.seed = seed});
    dense["config"]["model"]["dropout"] = 0.3;
    gated["config"]["model"]["dropout"] = 0.15;
    gated["config"]["training"]["updates"] = 500;
    gated["config"]["evaluation"]["every"] = 250;
    folder.write(dense);
    folder.write(gated);
  }
  for (const RunResult& run : read_results({folder.path()}, {}).runs) {
    CHECK_THAT(run.setting, has_text("dropout"));
    CHECK(run.panel.empty());
  }
  Json other = example_result({.seed = 3});
  other["config"]["model"]["dropout"] = 0.3;
  other["config"]["training"]["updates"] = 500;
  other["config"]["evaluation"]["every"] = 250;
  folder.write(other);
  for (const RunResult& run : read_results({folder.path()}, {}).runs) CHECK(run.panel.starts_with("dropout"));
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
  CHECK(results.unfinished == std::vector<std::string>{"still-running"});
}

TEST_CASE("the name is that of the sweep, or else of the folder") {
  const ResultFolder folder;
  CHECK(read_results({folder.path()}, {}).name == folder.path().filename().string());
  write_file(folder.path() / "sweep.json", R"({"name": "my sweep"})");
  CHECK(read_results({folder.path()}, {}).name == "my sweep");
}

TEST_CASE("a result that cannot be read is left out and named with its file and JSON path") {
  const ResultFolder folder;
  Json result = example_result({});
  SECTION("missing key") {
    result["parameters"].erase("total");
    const std::string file = folder.write(result).string();
    CHECK(reason_of(folder) == file + ": parameters: the key \"total\" is missing.");
  }
  SECTION("wrong type in a list") {
    result["scores"][0]["bleu"]["score"] = "high";
    const std::string file = folder.write(result).string();
    CHECK(reason_of(folder) == file + ": scores[0].bleu.score: a number was expected, not \"high\".");
  }
  SECTION("another schema") {
    result["schema_version"] = 7;
    const std::string file = folder.write(result).string();
    CHECK(reason_of(folder) == file + ": schema_version is 7; this program reads version 1.");
  }
  SECTION("an unknown status") {
    result["status"] = "resting";
    folder.write(result);
    CHECK_THAT(reason_of(folder), has_text("status is \"resting\""));
  }
  SECTION("broken JSON") {
    write_file(folder.path() / "runs/a/result.json", "{");
    CHECK_THAT(reason_of(folder), has_text("runs/a/result.json:1:"));
  }
  SECTION("a digest of something else") {
    result["digest"] = "0123456789abcdef";
    const std::string file = folder.write(result).string();
    CHECK_THAT(reason_of(folder), has_text(file));
  }
}

TEST_CASE("the others are read, and what is left out is said") {
  const ResultFolder folder;
  folder.write(example_result({}));
  const std::string marks_before = digest_of(read_results({folder.path()}, {}));
  write_file(folder.path() / "runs/a/result.json", "{}");
  for (int i = 1; i <= 7; ++i) std::filesystem::create_directories(folder.path() / "runs" / std::to_string(i));
  const ResultSet results = read_results({folder.path()}, {});
  CHECK(results.runs.size() == 1);
  CHECK(digest_of(results) != marks_before);
  const std::vector<std::string> remarks = remarks_on(results);
  REQUIRE(remarks.size() == 2);
  CHECK(remarks[0] ==
        "Left out: " + (folder.path() / "runs/a/result.json").string() + ": the key \"schema_version\" is missing.");
  CHECK(remarks[1] == "Left out, without a result: 1, 2, 3, 4, 5 and 2 more.");
}

TEST_CASE("what merged folders differ in beyond their axes is said") {
  const ResultFolder first, second;
  for (const std::int64_t seed : {1, 2}) {
    Json result = example_result({.router = "dense", .label = "dense", .experts = 1, .seed = seed});
    result["config"]["evaluation"]["every"] = 100 * seed;  // an axis of the first folder
    first.write(result);
  }
  Json other = example_result({});
  other["config"]["training"]["updates"] = 6000;
  other["config"]["training"]["news"] = true;  // a key that the first does not know
  other["config"]["data"]["root"] = "/elsewhere";
  other["data_digest"] = "fedcba9876543210";
  second.write(other);
  CHECK(read_results({first.path()}, {}).differences.empty());
  CHECK(read_results({first.path(), second.path()}, {}).differences ==
        std::vector<std::string>{"The folders differ in training.updates: 200 against 6000.",
                                 "The folders differ in data_digest: 0123456789abcdef against fedcba9876543210."});
}

TEST_CASE("results of another version of the semantics are a difference of folders") {
  const ResultFolder first, second;
  first.write(example_result({}));
  Json other = example_result({.seed = 2});
  other["semantics_version"] = 2;
  second.write(other);
  CHECK(remarks_on(read_results({first.path(), second.path()}, {})) ==
        std::vector<std::string>{"The folders differ in semantics_version: 1 against 2."});
}

TEST_CASE("results from before a router's fault was mended are left out beside later ones, and kept alone") {
  const ResultFolder folder;
  const Json before = example_result({});
  folder.write(before);
  CHECK(read_results({folder.path()}, {}).runs.size() == 1);
  Json after = before;
  after["run_id"] = "mended";
  after["strategy"]["revision"] = 2;
  folder.write(after);
  folder.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  const ResultSet results = read_results({folder.path()}, {});
  REQUIRE(results.runs.size() == 2);
  CHECK(results.find("mended") != nullptr);
  REQUIRE(results.left_out.size() == 1);
  CHECK_THAT(results.left_out.front(), has_text("is of revision 1 of switch, beside results of revision 2."));
}

TEST_CASE("a folder without runs/ is no folder of results") {
  const ResultFolder folder;
  std::filesystem::remove(folder.path() / "runs");
  CHECK_THROWS_WITH(read_results({folder.path()}, {}), has_text("has no folder runs/"));
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
