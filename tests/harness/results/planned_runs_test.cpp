#include "harness/results/planned_runs.h"

#include "harness/results/result_set.h"
#include "tests/harness/results_fixture.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

/// A folder of a sweep of two strategies with two seeds each.
struct PlannedFolder {
  ResultFolder folder;
  Sweep sweep =
      test::read(test::small_sweep({{"grid", {{"strategy.router", {"switch", "dense"}}, {"training.seed", {1, 2}}}}}));

  PlannedFolder() { write_file(folder.path() / "sweep.json", format_json(sweep.resolved)); }

  Json result_of(std::size_t run) const {
    Json result = example_result({});
    result["run_id"] = "run" + std::to_string(run);
    result["config"] = write_run_spec(sweep.runs.at(run));
    return result;
  }
  std::vector<std::string> not_begun() const { return read_results({folder.path()}, {}).not_begun; }
};

TEST_CASE("a planned run is not begun until its folder is there") {
  const PlannedFolder planned;
  CHECK(planned.not_begun().size() == 4);
  planned.folder.write(planned.result_of(0));
  const Json failed = failed_result({}, "It failed.");
  Json other = planned.result_of(1);
  for (const char* key : {"status", "failure"}) other[key] = failed[key];
  for (const char* key : {"flops", "training", "curve", "scores", "routing"}) other.erase(key);
  planned.folder.write(other);
  CHECK(planned.not_begun() == std::vector<std::string>{"dense, seed 1", "dense, seed 2"});

  write_file(planned.folder.path() / "runs/run2/config.json", format_json(write_run_spec(planned.sweep.runs[2])));
  std::filesystem::create_directories(planned.folder.path() / "runs/empty");
  write_file(planned.folder.path() / "runs/broken/config.json", "{");
  const ResultSet results = read_results({planned.folder.path()}, {});
  CHECK(results.unfinished.size() == 3);
  CHECK(results.not_begun == std::vector<std::string>{"dense, seed 2"});
  CHECK(results.missing() == 4);
  CHECK(remarks_on(results).back() == "The sweep plans runs that were not begun: dense, seed 2.");
}

TEST_CASE("a result of an older program, with its data elsewhere, is that of its run") {
  const PlannedFolder planned;
  Json result = planned.result_of(3);
  result["config"]["training"].erase("accumulate");
  result["config"]["data"]["root"] = "/elsewhere";
  planned.folder.write(result);
  CHECK(planned.not_begun().size() == 3);
}

TEST_CASE("runs from before a measurement at evaluation are not taken for runs with it") {
  Json before = {{"evaluation", {{"every", 100}}}};
  complete_older_config(before);
  CHECK(before["evaluation"]["inference_modes"] == false);
  CHECK(before["evaluation"]["routing_swaps"] == false);
  Json with = {{"evaluation", {{"inference_modes", true}}}};
  complete_older_config(with);
  CHECK(with["evaluation"]["inference_modes"] == true);
}

TEST_CASE("a sweep from before batch_side plans the runs that it made") {
  const PlannedFolder planned;
  Json sweep = planned.sweep.resolved;
  sweep["training"].erase("batch_side");
  write_file(planned.folder.path() / "sweep.json", format_json(sweep));
  Json result = planned.result_of(0);
  result["config"]["training"].erase("batch_side");
  planned.folder.write(result);
  CHECK(planned.not_begun().size() == 3);
}

TEST_CASE("of the shipped results no run is missing") {
  for (const char* name : {"quickstart-example", "multi30k-scarce", "multi30k-experts", "multi30k-languages"}) {
    INFO(name);
    const ResultSet results = read_results({std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "results" / name}, {});
    CHECK(results.runs.size() >= 12);
    CHECK(results.missing() == 0);
  }
}

TEST_CASE("translations of another program are no run of a sweep") {
  const PlannedFolder planned;
  planned.folder.write(imported_result("OPUS-MT", 1, 35));
  CHECK(planned.not_begun().size() == 4);
}

TEST_CASE("shards with folders of their own share a sweep, and each has its part") {
  const PlannedFolder first, second;
  first.folder.write(first.result_of(0));
  second.folder.write(second.result_of(1));
  const std::vector<std::filesystem::path> both = {first.folder.path(), second.folder.path()};
  CHECK(read_results(both, {}).not_begun == std::vector<std::string>{"dense, seed 1", "dense, seed 2"});
}

TEST_CASE("a file that is no sweep of this program plans nothing") {
  const ResultFolder folder;
  for (const char* text : {"[]", "{}", R"({"name": "x", "claims": []})",
                           R"({"data": {"source": "synthetic", "directions": ["aa-ab"]}, "news": 1})"}) {
    INFO(text);
    write_file(folder.path() / "sweep.json", text);
    CHECK(runs_not_begun(folder.path(), {}).empty());
  }
}

}  // namespace
}  // namespace moe
