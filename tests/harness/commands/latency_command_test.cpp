#include "harness/results/latency.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {

namespace fs = std::filesystem;

TEST_CASE("latency times each finished run and the report shows it") {
  const TemporaryFolder folder;
  const fs::path out = folder.path() / "out";
  write_file(folder.path() / "sweep.json", format_json(tiny_sweep()));
  REQUIRE(run_program(run_arguments(folder.path() / "sweep.json", out)).status == 0);
  const Ended measured = run_program({"latency", out.string(), "--sentences", "3"});
  INFO(measured.error);
  REQUIRE(measured.status == 0);
  const fs::path run = run_folder(out, "switch-paper");
  CHECK(names(measured.output, {run.filename().string(), "1 sentence p50", "64 sentences p50"}));
  const auto record = read_latency(run);
  REQUIRE(record);
  REQUIRE(record->batches.size() == 2);
  CHECK(record->batches[0].sentences == 1);
  CHECK(record->batches[0].batches == 3);
  CHECK(record->batches[1].sentences == 64);
  for (const BatchLatency& batch : record->batches) {
    CHECK(batch.p50 > 0);
    CHECK(batch.p95 >= batch.p50);
  }
  REQUIRE(run_program({"report", out.string()}).status == 0);
  CHECK(contains(read_file(out / "report/tables/latency.md"), "switch-paper"));
  CHECK(contains(read_file(out / "report/index.html"), "Time to translate"));
  fs::remove(run / "checkpoint.safetensors");
  const Ended without = run_program({"latency", run.parent_path().parent_path().string()});
  CHECK(contains(without.error, "Left out, without a checkpoint: " + run.string()));
}

TEST_CASE("latency refuses a folder without runs, and zero sentences") {
  const TemporaryFolder folder;
  const auto refused = [](const Ended& ended, const std::string& part) {
    INFO(ended.error);
    CHECK(ended.status == 2);
    CHECK(contains(ended.error, part));
  };
  refused(run_program({"latency", folder.path().string()}), "has no folder runs/");
  fs::create_directory(folder.path() / "runs");
  refused(run_program({"latency", folder.path().string()}), "no run has a result and a checkpoint");
  refused(run_program({"latency", folder.path().string(), "--sentences", "0"}), "--sentences");
}

}  // namespace moe
