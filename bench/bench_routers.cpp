// What deciding costs: every router's plan for 2,048 tokens of width 256, without the experts' work and without a way
// back.
#include "bench/bench_main.h"
#include "bench/layer_tokens.h"
#include "model/initialisation.h"
#include "routers/router.h"

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

namespace moe {
namespace {

constexpr std::int64_t tokens_of_call = 2048;

void route(benchmark::State& state, const RouterEntry& entry, const Json& request) {
  const torch::NoGradGuard no_gradient;
  const auto router = make_layer_router(entry, request);
  const Tokens tokens = make_layer_tokens(tokens_of_call, Phase::train);
  const torch::Tensor x_TD = normal_parameter({tokens_of_call, layer_width}, 1, 4, "x");
  for (auto _ : state) benchmark::DoNotOptimize(router->route(x_TD, tokens));
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(tokens_of_call), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["experts"] = static_cast<double>(router->layout().count);
  state.counters["threads"] = at::get_num_threads();
  state.SetLabel(product_path(/*is_bf16=*/false));
}

void register_all() {
  for (const RouterEntry& entry : all_routers()) {
    if (entry.needs_labels) continue;
    const bool has_experts = entry.options_schema()["properties"].contains("experts");
    for (const std::int64_t experts : has_experts ? std::vector<std::int64_t>{4, 64} : std::vector<std::int64_t>{1}) {
      const Json request = has_experts ? Json{{"experts", experts}} : Json::object();
      benchmark::RegisterBenchmark(fmt::format("route/{}/experts:{}", entry.name, experts).c_str(),
                                   [=](benchmark::State& state) { route(state, entry, request); })
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    }
  }
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): an error may end a benchmark
  return moe::run_benchmarks(argc, argv, moe::register_all);
}
