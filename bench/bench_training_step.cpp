// A whole training step beside the time of its matrix products alone: the same shapes back to back. Where there is a
// GPU, also on it: names that end in /cuda.
//
// --dump=FILE writes the weights and the batches of each model to FILE-NAME.safetensors and measures nothing:
// tools/bench-peers gives them to other programs.
#include "bench/bench_main.h"
#include "bench/training_case.h"
#include "core/memory.h"
#include "kernels/gemm/linear.h"
#include "training/phase_profile.h"

#include <ATen/Parallel.h>
#include <torch/cuda.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

namespace moe {
namespace {

void count(benchmark::State& state, const TrainingCase& setting, double flops, torch::Device device) {
  state.counters["target_tokens/s"] =
      benchmark::Counter(static_cast<double>(setting.tokens()), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["GFLOP/s"] = benchmark::Counter(flops / 1e9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["threads"] = at::get_num_threads();
  state.SetLabel(device.is_cpu() ? product_path(setting.precision == "bf16") : "LibTorch's products on a GPU");
}

/// VmRSS, resident now, or VmHWM, at most so far. (The peak that getrusage knows begins with the parent's.)
double resident_megabytes(const std::string& key) {
  return static_cast<double>(system_number("/proc/self/status", key + ":").value_or(0)) / 1024;
}

void step(benchmark::State& state, const TrainingCase& setting, torch::Device device) {
  static const double at_start = resident_megabytes("VmRSS");  // a benchmark is called again with more iterations
  TrainingRun run(setting, device);
  double flops = 0;
  for (int i = 0; i < 3; ++i) flops = run.trainer.step().flops;  // buffers grow to their size
  {
    const PhaseProfile profile;
    for (auto _ : state) run.trainer.step();
    for (const auto& [phase, seconds] : profile.seconds()) {
      state.counters["ms " + phase] = benchmark::Counter(1e3 * seconds, benchmark::Counter::kAvgIterations);
    }
  }
  state.counters["start MB"] = at_start;
  state.counters["peak MB"] = resident_megabytes("VmHWM");
  count(state, setting, flops, device);
}

void products(benchmark::State& state, const TrainingCase& setting, torch::Device device) {
  const torch::InferenceMode inference_mode;
  const auto options = torch::dtype(setting.precision == "bf16" ? torch::kBFloat16 : torch::kFloat32).device(device);
  struct Operands {
    torch::Tensor a, b, c;
  };
  std::vector<Operands> all;
  double flops = 0;
  for (const auto& [rows, depth, columns] : products_of(setting)) {
    const torch::Tensor x = torch::randn({rows, depth}).to(options), w = torch::randn({columns, depth}).to(options),
                        y = torch::randn({rows, columns}).to(options);
    all.push_back({x, w.t(), torch::empty_like(y)});  // forward
    all.push_back({y, w, torch::empty_like(x)});      // gradient of x
    all.push_back({y.t(), x, torch::empty_like(w)});  // gradient of w
    flops += 6.0 * static_cast<double>(rows * depth * columns);
  }
  const auto multiply = [&] {
    for (Operands& operands : all) gemm_out(operands.c, operands.a, operands.b);
    if (device.is_cuda()) torch::cuda::synchronize();
  };
  multiply();  // the results get their memory from the system, page by page
  for (auto _ : state) multiply();
  count(state, setting, flops, device);
}

void register_all() {
  std::vector<TrainingCase> cases = training_cases();
  for (TrainingCase setting : training_cases()) {
    setting.name += "-two-passes";
    setting.passes = 2;
    cases.push_back(setting);
  }
  const auto add = [](const TrainingCase& setting, bool whole, torch::Device device) {
    const std::string name = fmt::format("{}/{}/{}{}", whole ? "step" : "products", setting.name, setting.precision,
                                         device.is_cpu() ? "" : "/cuda");
    benchmark::RegisterBenchmark(
        name.c_str(),
        [=](benchmark::State& state) { whole ? step(state, setting, device) : products(state, setting, device); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  for (const TrainingCase& setting : cases) {
    for (const bool whole : {true, false}) {
      add(setting, whole, torch::kCPU);
      if (torch::cuda::is_available()) add(setting, whole, torch::kCUDA);
    }
  }
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): an error may end a benchmark
  return moe::run_benchmarks(argc, argv, moe::register_all, moe::dump_training_cases);
}
