#include "harness/run/gpu/gpu_slots.h"

#include "core/error.h"
#include "harness/process/process_pool.h"
#include "harness/run/run_needs.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"

#include <set>
#include <sstream>

namespace moe {
namespace {

const std::vector<VisibleGpu> two_gpus = {{.number = 0, .visible = "2", .memory_bytes = std::int64_t{80} << 30},
                                          {.number = 1, .visible = "GPU-1", .memory_bytes = std::int64_t{80} << 30}};

/// The number of the GPU that the run gets a place on; -1: there is none.
int taken(GpuSlots& slots, const std::string& run) {
  const VisibleGpu* gpu = slots.take(run);
  return gpu == nullptr ? -1 : gpu->number;
}

}  // namespace

TEST_CASE("runs spread over the GPUs, and a place that is free again is taken again") {
  GpuSlots slots(two_gpus, {2, 1});
  CHECK(slots.total() == 3);
  CHECK(taken(slots, "a") == 0);
  CHECK(taken(slots, "b") == 1);
  CHECK(taken(slots, "c") == 0);
  CHECK(taken(slots, "d") == -1);
  CHECK(slots.release("b", false).visible == "GPU-1");
  CHECK(taken(slots, "d") == 1);
  slots.release("a", false);
  slots.release("c", false);
  slots.release("d", false);
  CHECK(taken(slots, "e") == 0);
  CHECK(taken(slots, "f") == 1);
}

TEST_CASE("a GPU that was lost is not used again, and without any there is no place") {
  GpuSlots slots(two_gpus, {2, 2});
  for (const char* run : {"a", "b", "c"}) slots.take(run);  // on 0, 1, 0
  CHECK(slots.release("a", true).number == 0);
  CHECK(taken(slots, "d") == 1);
  CHECK(taken(slots, "e") == -1);
  CHECK(slots.release("c", false).number == 0);  // its other run may end well
  CHECK(taken(slots, "e") == -1);
  slots.release("b", true);
  slots.release("d", true);
  CHECK(taken(slots, "e") == -1);
}

TEST_CASE("a GPU has as many places as are asked for and its memory holds, and never none") {
  const RunSpec small = test::read(test::small_sweep()).runs.front();
  RunSpec huge = small;
  huge.training.tokens_per_batch = std::int64_t{1} << 40;
  std::vector<VisibleGpu> gpus = two_gpus;
  gpus[1].memory_bytes = expected_memory(small) * 5 / 2;
  gpus[1].name = "Example";
  std::ostringstream notes;
  const std::vector<RunSpec> runs(5, small);
  CHECK(make_gpu_slots(gpus, runs, 1, notes).total() == 2);
  CHECK(notes.str().empty());
  CHECK(make_gpu_slots(gpus, runs, 4, notes).total() == 4 + 2);
  CHECK(notes.str().starts_with("GPU 1 (Example): 2 at a time"));
  notes.str("");
  CHECK(make_gpu_slots(gpus, {huge, huge}, 2, notes).total() == 2);
  CHECK(make_gpu_slots({gpus[1]}, {small}, 4, notes).total() == 1);
  CHECK(notes.str().find("GPU 0: 1 at a time") == 0);
}

TEST_CASE("a sweep goes on without the GPU that a run has lost, until none is left") {
  GpuSlots slots(two_gpus, {1, 1});
  std::vector<std::string> seen, ended;
  JobEvents events;
  events.place = [&](const Job& job) -> std::optional<std::vector<std::string>> {
    const VisibleGpu* gpu = slots.take(job.id);
    if (gpu == nullptr) return std::nullopt;
    return std::vector<std::string>{"CUDA_VISIBLE_DEVICES=" + gpu->visible};
  };
  events.progress = [&](const Job& job, const Json& message) {
    seen.push_back(job.id + " on " + message.at("gpu").get<std::string>());
  };
  events.finished = [&](const Job& job, const JobOutcome& outcome) {
    ended.push_back(job.id);
    slots.release(job.id, outcome.status == static_cast<int>(ExitStatus::device_lost));
  };
  const auto job = [](const std::string& id, const std::string& end) {
    return Job{id, {"/bin/sh", "-c", R"(echo "{\"gpu\": \"$CUDA_VISIBLE_DEVICES\"}"; )" + end}};
  };
  // a loses GPU 2 at once while b runs; c and d follow b on the other, which d loses.
  const std::vector<Job> jobs = {job("a", "exit 4"), job("b", "sleep 0.3"), job("c", "exit 1"), job("d", "exit 4"),
                                 job("e", "exit 0")};
  CHECK_FALSE(run_jobs(jobs, 8, events));
  CHECK((std::set<std::string>(seen.begin(), seen.end()) ==
         std::set<std::string>{"a on 2", "b on GPU-1", "c on GPU-1", "d on GPU-1"}));
  CHECK((ended == std::vector<std::string>{"a", "b", "c", "d"}));
}

}  // namespace moe
