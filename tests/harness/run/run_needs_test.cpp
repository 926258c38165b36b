#include "harness/run/run_needs.h"

#include "core/cpus.h"
#include "tests/harness/program.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/memory.h"
#include "tests/support/one_processor.h"

namespace moe {

TEST_CASE("the expected memory of a run grows with what it is made of") {
  const RunSpec spec = test::read(test::small_sweep()).runs.front();
  const auto grows = [&](const std::function<void(RunSpec&)>& change) {
    RunSpec larger = spec;
    change(larger);
    return expected_memory(larger) > expected_memory(spec);
  };
  CHECK(grows([](RunSpec& run) { run.model.width *= 2; }));
  CHECK(grows([](RunSpec& run) { run.training.tokens_per_batch *= 2; }));
  CHECK(spec.training.batch_side == "target");
  CHECK_FALSE(grows([](RunSpec& run) { run.training.batch_side = "longer"; }));  // sources are no longer than targets
  CHECK(grows([](RunSpec& run) { run.strategy.objective.passes = 2; }));
  CHECK(grows([](RunSpec& run) { run.strategy.options["experts"] = 64; }));
  CHECK_FALSE(grows([](RunSpec& run) { run.evaluation.average_share = 0; }));
  CHECK(grows([](RunSpec& run) { run.data.vocabulary *= 2; }));
}

TEST_CASE("the expected work of a run grows with what each token passes through, up to its budget") {
  const RunSpec spec = test::read(test::small_sweep()).runs.front();
  const auto factor = [&](const std::function<void(RunSpec&)>& change) {
    RunSpec changed = spec;
    change(changed);
    return expected_flops(changed) / expected_flops(spec);
  };
  CHECK(factor([](RunSpec& run) { run.strategy.objective.passes *= 2; }) == 2);
  CHECK(factor([](RunSpec& run) { run.training.updates *= 3; }) == 3);
  CHECK(factor([](RunSpec& run) { run.model.ffn *= 2; }) > 1);
  const double larger_gate = factor([](RunSpec& run) { run.strategy.options["experts"] = 64; });
  CHECK(larger_gate > 1);
  CHECK(larger_gate < 1.1);
  CHECK(factor([](RunSpec& run) { run.training.flops = 0.5 * expected_flops(run); }) == 0.5);
  const RunSpec two_experts = test::read(test::small_sweep({{"strategy", {{"router", "gshard"}}}})).runs.front();
  CHECK(expected_flops(two_experts) > 1.1 * expected_flops(spec));
}

TEST_CASE("what a run needs is told also where its router cannot be made before there is a vocabulary") {
  const TemporaryFolder folder;
  write_file(folder.path() / "table.txt", "0\n1\n");
  RunSpec spec = test::read(test::small_sweep({{"strategy", {{"router", "hash"}}}})).runs.front();
  const double flops = expected_flops(spec);
  spec.strategy.options["table"] = "file";
  spec.strategy.options["table_file"] = (folder.path() / "table.txt").string();
  CHECK(expected_flops(spec) == flops);
  CHECK(expected_memory(spec) > 0);
}

TEST_CASE("as many runs side by side as cores and memory allow, and never none") {
  const RunSpec small = test::read(test::small_sweep()).runs.front();
  RunSpec huge = small;
  huge.training.tokens_per_batch = std::int64_t{1} << 40;
  const int cores = usable_cpus();
  CHECK(default_jobs({huge, huge}, 1) == 1);
  CHECK(default_jobs({small, huge}, 1) == 1);
  CHECK(default_jobs(std::vector<RunSpec>(static_cast<std::size_t>(cores) + 1, small), cores) == 1);
  CHECK(default_jobs({small}, 1) == 1);
  CHECK(available_memory() > 0);
}

TEST_CASE("runs fit into a memory as the largest of them do, up to the most that are asked for") {
  const RunSpec small = test::read(test::small_sweep()).runs.front();
  RunSpec large = small;
  large.training.tokens_per_batch *= 8;
  const std::int64_t need = expected_memory(small);
  CHECK(runs_that_fit({small, small, small}, 2 * need, 8) == 2);
  CHECK(runs_that_fit({small, small, small}, 9 * need, 2) == 2);
  CHECK(runs_that_fit({small, small, small}, 9 * need, 8) == 3);
  CHECK(runs_that_fit({small, large}, expected_memory(large) + need - 1, 2) == 1);
  CHECK(runs_that_fit({small, large}, expected_memory(large) + need, 2) == 2);
  CHECK(runs_that_fit({small}, 0, 2) == 1);
}

TEST_CASE("a process tied to one processor runs one run at a time") {
  const RunSpec small = test::read(test::small_sweep()).runs.front();
  const OneProcessor tied;
  CHECK(default_jobs({small, small, small}, 1) == 1);
}

TEST_CASE("a run's peak stays below what was expected of it, and not far below") {
  if (!can_measure_memory()) return;
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "sweep.json", out = folder.path() / "out";
  Json sweep = tiny_sweep();
  sweep["model"].update({{"width", 64}, {"ffn", 128}});
  sweep["training"].update({{"tokens_per_batch", 4096}, {"updates", 3}});
  write_file(file, format_json(sweep));
  REQUIRE(run_program(run_arguments(file, out)).status == 0);
  const Sweep resolved = read_sweep(file, {});
  for (const RunSpec& run : resolved.runs) {
    CAPTURE(run.strategy.router);
    const Json result = read_json(run_folder(out, run.strategy.router) / "result.json");
    const auto peak = result.at("measurements").at("peak_memory_bytes").get<std::int64_t>();
    CHECK(peak < expected_memory(run));
    CHECK(2 * peak > expected_memory(run));
  }
}

}  // namespace moe
