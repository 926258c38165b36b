#include "harness/report/tables/latency_table.h"

#include "harness/results/latency.h"
#include "routers/registry.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {
namespace {

LatencyRecord record_of(const std::string& run_id, double one, double many, double waiting = 0) {
  LatencyRecord record;
  record.run_id = run_id;
  record.measured = "2026-01-01T00:00:00Z";
  record.host = {{"cpu", "a processor"}, {"threads", 1}, {"device", "cpu"}};
  record.software = Json::object();
  record.beam = 5;
  record.set = "test";
  record.batches = {{1, 200, one, 2 * one}, {64, 20, many, 2 * many}};
  record.waiting = waiting;
  return record;
}

/// Writes a run and its times.
void write_measured(const ResultFolder& folder, const RunChoice& choice, double one, double many, double waiting = 0) {
  const auto file = folder.write(example_result(choice));
  write_latency(file.parent_path(), record_of(file.parent_path().filename().string(), one, many, waiting));
}

}  // namespace

TEST_CASE("quantiles of latencies are of the nearest rank, in milliseconds") {
  std::vector<double> seconds;
  for (int i = 100; i > 0; --i) seconds.push_back(0.001 * i);
  const BatchLatency of_hundred = batch_latency(64, seconds);
  CHECK(of_hundred.sentences == 64);
  CHECK(of_hundred.batches == 100);
  CHECK(of_hundred.p50 == Approx(50));
  CHECK(of_hundred.p95 == Approx(95));
  const BatchLatency of_one = batch_latency(1, {0.002});
  CHECK(of_one.p50 == Approx(2));
  CHECK(of_one.p95 == Approx(2));
}

TEST_CASE("the table of latencies has a mean over the seeds of what was measured throughout") {
  const ResultFolder folder;
  write_measured(folder, {.router = "dense", .label = "dense", .experts = 1, .seed = 1}, 10, 100);
  write_measured(folder, {.router = "dense", .label = "dense", .experts = 1, .seed = 2}, 12, 110);
  write_measured(folder, {.seed = 1}, 20, 200);
  folder.write(example_result({.seed = 2}));
  const ResultSet results = read_results({folder.path()}, router_names());
  const ResultsTable table = make_results_table(results);
  const TextTable text = latency_table(table);
  CHECK(text.header == std::vector<std::string>{"strategy", "experts", "1 sentence, p50 ms", "1 sentence, p95 ms",
                                                "64 sentences, p50 ms", "64 sentences, p95 ms"});
  REQUIRE(text.rows.size() == 1);
  CHECK(text.rows[0] == std::vector<std::string>{"dense", "–", "11.0", "22.0", "105.0", "210.0"});
  const std::vector<std::string> notes = latency_notes(table);
  REQUIRE(notes.size() == 2);
  CHECK_THAT(notes[1], has_text("a processor, 1 thread, cpu, beam 5"));
}

TEST_CASE("times of a busy machine are marked") {
  const ResultFolder folder;
  write_measured(folder, {}, 10, 100, 0.2);
  const ResultSet results = read_results({folder.path()}, router_names());
  CHECK_THAT(latency_notes(make_results_table(results)).back(), has_text("busy"));
}

TEST_CASE("a broken or foreign latency.json leaves the result in") {
  const ResultFolder folder;
  const auto file = folder.write(example_result({}));
  write_latency(file.parent_path(), record_of("another-run", 1, 1));
  ResultSet results = read_results({folder.path()}, router_names());
  REQUIRE(results.runs.size() == 1);
  CHECK(!results.runs[0].latency);
  REQUIRE(results.left_out.size() == 1);
  const std::string latency = (file.parent_path() / "latency.json").string();
  CHECK(names(results.left_out[0], {latency, "run_id", "another-run"}));
  write_file(latency, R"({"run_id": 3})");
  results = read_results({folder.path()}, router_names());
  CHECK(results.runs.size() == 1);
  CHECK(names(results.left_out[0], {latency, "run_id"}));
}

}  // namespace moe
