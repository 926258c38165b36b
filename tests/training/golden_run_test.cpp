// A whole training run against numbers that were written down: losses of its first updates, and the gradient of each
// parameter in the first. What no test of a part sees, a change in how the parts are put together, moves them.
//
// After a change that is meant to move them: MOE_BENCH_WRITE_GOLDEN=1 build/test_training -# '[#golden_run_test]', and
// say in the commit why they moved.
#include "core/files.h"
#include "core/json.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <ATen/Context.h>
#include <torch/cuda.h>

#include <cstdlib>

namespace moe {
namespace {

const char* const golden_file = MOE_BENCH_SOURCE_DIR "/tests/training/golden_run.json";
constexpr int golden_updates = 6;

struct Run {
  std::string router;
  Json options;
  std::int64_t passes = 1;
};

const std::vector<Run> runs = {{"dense", Json::object()},
                               {"switch", {{"experts", 3}, {"jitter", 0.1}, {"capacity_factor", 1.0}}},
                               {"gshard", {{"experts", 3}, {"second", "random"}}},
                               {"bias_balanced", {{"experts", 3}, {"bias_rate", 0.01}}},
                               {"hash", {{"experts", 3}}},
                               {"smoe", {{"experts", 4}}},
                               {"thor", {{"experts", 3}}, 2}};

/// As a run opens it: with sums in a fixed order.
torch::Device open_on_gpu() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*replace=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  return torch::kCUDA;
}

/// The first moment after one update is the gradient times a constant.
Json gradient_norms(const Trainer& trainer) {
  const std::string prefix = "optimizer.first_moment.";
  LazyTensors sources;
  trainer.save(sources);
  Json norms = Json::object();
  for (const auto& [name, tensor] : make_tensors(sources)) {
    if (name.starts_with(prefix)) norms[name.substr(prefix.size())] = tensor.norm().item<double>();
  }
  return norms;
}

Json numbers_of(const Run& run, torch::Device device) {
  TinyTraining training;
  training.objective.passes = run.passes;
  training.objective.consistency = run.passes == 2 ? 5 : 0;
  training.objective.balance_loss = 0.01;
  training.objective.z_loss = 0.001;
  training.start(run.router, run.options, 0.1, device);
  Json losses = Json::array(), gradients;
  for (int update = 0; update < golden_updates; ++update) {
    const StepReport report = training.trainer->step();
    losses.push_back({{"cross_entropy", report.cross_entropy},
                      {"consistency", report.consistency},
                      {"balance_loss", report.balance},
                      {"z_loss", report.z},
                      {"gradient_norm", report.gradient_norm}});
    if (update == 0) gradients = gradient_norms(*training.trainer);
  }
  return {{"losses", losses}, {"first_gradients", gradients}};
}

void check_same(const Json& expected, const Json& actual) {
  REQUIRE(expected.size() == actual.size());
  for (const auto& [key, value] : expected.items()) {
    INFO(key);
    const Json& other = actual.is_array() ? actual.at(std::stoul(key)) : actual.at(key);
    if (value.is_structured()) {
      check_same(value, other);
    } else {
      // Processors round differently, and updates carry that on.
      CHECK(other.get<double>() == Approx(value.get<double>()).epsilon(2e-3).margin(1e-5));
    }
  }
}

}  // namespace

TEST_CASE("losses and gradients of whole training runs are those that were written down") {
  Json actual = Json::object();
  for (const Run& run : runs) actual[run.router] = numbers_of(run, torch::kCPU);
  if (std::getenv("MOE_BENCH_WRITE_GOLDEN") != nullptr) write_file(golden_file, format_json(actual));
  check_same(read_json(golden_file), actual);
}

TEST_CASE("the same runs on this GPU have the same numbers", "[cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("There is no GPU: nothing was checked.");
    return;
  }
  Json actual = Json::object();
  for (const Run& run : runs) actual[run.router] = numbers_of(run, open_on_gpu());
  check_same(read_json(golden_file), actual);
}

}  // namespace moe
