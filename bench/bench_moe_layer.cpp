// What an MoE layer costs beside the plain feed-forward net that each of its tokens passes through: width 256, hidden
// width 1024. A training pass is forward and backward; its gradients are made anew each time, as in training.
// tools/bench_ratios.py sets the times in relation to the floor. Where there is a GPU, cuda/... are on it.
#include "bench/bench_main.h"
#include "bench/layer_tokens.h"
#include "core/error.h"
#include "kernels/experts/expert_ffn.h"
#include "model/initialisation.h"
#include "model/moe_layer.h"

#include <torch/cuda.h>
#include <torch/types.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

// Legend: T tokens, M kept pairs, E experts, D width, F hidden width.

namespace moe {
namespace {

constexpr std::int64_t width = layer_width, hidden = 1024;

/// Sends half of the tokens to the first expert and the others to the next seven; all that follow have none.
class SkewedRouter : public Router {
 public:
  explicit SkewedRouter(std::int64_t experts) : experts_(experts) {}
  ExpertLayout layout() const override { return {.count = experts_}; }
  RoutingPlan route(const torch::Tensor& x_TD, const Tokens& tokens) override {
    torch::Tensor expert_T1 = torch::zeros({tokens.count(), 1}, torch::kInt64);
    auto* expert = expert_T1.mutable_data_ptr<std::int64_t>();
    for (std::int64_t t = 1; t < tokens.count(); t += 2) expert[t] = std::min(1 + t / 2 % 7, experts_ - 1);
    return make_plan(expert_T1, {}, {}, experts_, x_TD.device());
  }

 private:
  std::int64_t experts_;
};

/// What one benchmark measures.
struct LayerCase {
  std::string router;  ///< of the registry, or "skewed"
  Json options = Json::object();
  torch::Dtype dtype = torch::kFloat32;
  std::int64_t tokens = 2048;
  Phase phase = Phase::train;
  torch::Device device = torch::kCPU;

  std::int64_t experts() const { return options.value("experts", std::int64_t{1}); }
};

std::shared_ptr<Router> make_router(const LayerCase& setting) {
  if (setting.router == "skewed") return std::make_shared<SkewedRouter>(setting.experts());
  return make_layer_router(find_router(setting.router), setting.options);
}

/// The router stays in float32, where gates compute.
MoeLayer make_layer(const LayerCase& setting) {
  MoeLayer layer("layer", {width, hidden, false}, make_router(setting), 1);
  const torch::NoGradGuard no_gradient;
  for (const torch::Tensor& parameter : layer.expert_parameters()) parameter.set_data(parameter.to(setting.dtype));
  layer.to(setting.device);
  return layer;
}

torch::Tensor make_states(std::int64_t tokens, const torch::TensorOptions& options = torch::kFloat32) {
  return normal_parameter({tokens, width}, 1, 1, "states").to(options);
}

/// `passes`: 1 for a forward pass, 3 with the backward one.
void count(benchmark::State& state, const LayerCase& setting, std::int64_t pairs, std::int64_t used, double passes) {
  const double flops = passes * 2 * 2 * static_cast<double>(width * hidden * pairs);
  state.counters["experts"] = static_cast<double>(setting.experts());
  state.counters["experts_used"] = static_cast<double>(used);
  state.counters["tokens"] = static_cast<double>(setting.tokens);
  state.counters["pairs"] = static_cast<double>(pairs);
  state.counters["width"] = width;
  state.counters["bits"] = setting.dtype == torch::kBFloat16 ? 16 : 32;
  state.counters["GFLOP/s"] = benchmark::Counter(flops / 1e9, benchmark::Counter::kIsIterationInvariantRate);
  if (setting.device.is_cpu()) state.SetLabel(product_path(setting.dtype == torch::kBFloat16));
}

std::int64_t active_experts(const RoutingPlan& plan) {
  std::int64_t used = 0;
  for (std::int64_t e = 0; e < plan.assignment.experts(); ++e) used += plan.assignment.load(e) > 0 ? 1 : 0;
  return used;
}

void training_pass(benchmark::State& state, const LayerCase& setting) {
  MoeLayer layer = make_layer(setting);
  const Tokens tokens = make_layer_tokens(setting.tokens, Phase::train);
  const auto options = torch::dtype(setting.dtype).device(setting.device);
  const torch::Tensor x_TD = make_states(setting.tokens, options).requires_grad_(true);
  const torch::Tensor upstream_TD = make_states(setting.tokens, options);
  RoutingPlan plan;
  const auto pass = [&] {
    layer.zero_grad();
    x_TD.mutable_grad().reset();
    MoeOutput output = layer.forward(x_TD, tokens);
    output.y_TD.backward(upstream_TD);
    plan = std::move(output.plan);
    if (setting.device.is_cuda()) torch::cuda::synchronize();
  };
  pass();  // the first one gets its memory from the system, page by page
  for (auto _ : state) pass();
  count(state, setting, plan.assignment.count(), active_experts(plan), 3);
}

void inference(benchmark::State& state, const LayerCase& setting) {
  const torch::InferenceMode inference_mode;
  MoeLayer layer = make_layer(setting);
  const Tokens tokens = make_layer_tokens(setting.tokens, Phase::evaluate);
  const torch::Tensor x_TD = make_states(setting.tokens, setting.dtype);
  const RoutingPlan plan = layer.forward(x_TD, tokens).plan;
  for (auto _ : state) benchmark::DoNotOptimize(layer.forward(x_TD, tokens));
  count(state, setting, plan.assignment.count(), active_experts(plan), 1);
}

/// The products of kernels/experts/expert_ffn.h by LibTorch's grouped product.
torch::Tensor grouped_ffn(const torch::Tensor& x_TD, const torch::Tensor& token_M, const torch::Tensor& offsets_E,
                          const torch::Tensor& expert_M, const ExpertWeights& weights) {
  const torch::Tensor x_MD = x_TD.index_select(0, token_M);
  torch::Tensor hidden_MF = at::_grouped_mm(x_MD, weights.w1_EFD.transpose(1, 2), offsets_E);
  hidden_MF.add_(weights.b1_EF.index_select(0, expert_M)).relu_();
  torch::Tensor y_MD = at::_grouped_mm(hidden_MF, weights.w2_EDF.transpose(1, 2), offsets_E);
  y_MD.add_(weights.b2_ED.index_select(0, expert_M));
  return torch::zeros_like(x_TD).index_add_(0, token_M, y_MD);
}

/// Forward only, on a plan with as many tokens for each expert.
void products(benchmark::State& state, const LayerCase& setting, bool grouped) {
  const torch::InferenceMode inference_mode;
  const std::int64_t experts = setting.experts(), share = setting.tokens / experts;
  const torch::Tensor x_TD = make_states(setting.tokens);
  const torch::Tensor token_M = torch::arange(setting.tokens).view({share, experts}).t().flatten();
  std::vector<std::int64_t> offsets;
  for (std::int64_t e = 0; e <= experts; ++e) offsets.push_back(e * share);
  const torch::Tensor offsets_E = (torch::arange(1, experts + 1) * share).to(torch::kInt32);
  const torch::Tensor expert_M = torch::arange(experts).repeat_interleave(share);
  const auto parameters = make_layer(setting).expert_parameters();
  const ExpertWeights weights{parameters[0], parameters[1], parameters[2], parameters[3]};
  const auto by_loop = [&] { return expert_ffn(x_TD, token_M, {}, offsets, weights); };
  const auto by_group = [&] { return grouped_ffn(x_TD, token_M, offsets_E, expert_M, weights); };
  MOE_CHECK(torch::allclose(by_loop(), by_group(), 1e-3, 1e-3), "The grouped product computes something else.");
  for (auto _ : state) benchmark::DoNotOptimize(grouped ? by_group() : by_loop());
  count(state, setting, setting.tokens, experts, 1);
}

/// Bytes a second that all threads together write and read.
void memory(benchmark::State& state) {
  const torch::Tensor from = torch::ones({1 << 26}), to = from.clone();  // both have their pages from the system
  for (auto _ : state) to.copy_(from);
  state.counters["GB/s"] =
      benchmark::Counter(2.0 * static_cast<double>(from.nbytes()) / 1e9, benchmark::Counter::kIsIterationInvariantRate);
}

template <class Run>
void add(const std::string& name, const LayerCase& setting, Run run) {
  const std::string full =
      fmt::format("{}/{}/experts:{}/tokens:{}", name, setting.dtype == torch::kBFloat16 ? "bf16" : "fp32",
                  setting.experts(), setting.tokens);
  benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& state) { run(state, setting); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

/// The layers that tools/gpu-check sets beside a plain net.
void register_on_gpu() {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    const auto layer = [&](const std::string& router, Json options) {
      add("cuda/training/" + router, {router, std::move(options), dtype, /*tokens=*/16384, Phase::train, torch::kCUDA},
          training_pass);
    };
    layer("dense", Json::object());
    for (const std::int64_t experts : {4, 64}) layer("switch", {{"experts", experts}});
  }
}

void register_all() {
  if (torch::cuda::is_available()) register_on_gpu();
  benchmark::RegisterBenchmark("memory", memory)->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    for (const std::int64_t tokens : {2048, 16384}) {
      const auto layer = [&](const std::string& router, Json options) {
        add("training/" + router, {router, std::move(options), dtype, tokens}, training_pass);
      };
      add("training/dense", {"dense", Json::object(), dtype, tokens}, training_pass);
      add("training/dense", {"dense", Json::object(), dtype, 2 * tokens}, training_pass);
      for (const std::int64_t experts : {4, 16, 64, 256}) {
        for (const char* router : {"switch", "top_k", "hash", "random", "thor", "skewed"}) {
          layer(router, {{"experts", experts}});
        }
      }
      add("inference/dense", {"dense", Json::object(), dtype, tokens, Phase::evaluate}, inference);
      for (const std::string mode : {"sentence", "token", "position_shared", "fixed:0"}) {
        for (const std::int64_t experts : {4, 64, 256}) {
          const Json options = {{"experts", experts}, {"inference", mode}};
          add("inference/thor/" + mode, {"thor", options, dtype, tokens, Phase::evaluate}, inference);
        }
      }
    }
  }
  for (const bool grouped : {false, true}) {
    for (const std::int64_t experts : {4, 64}) {
      add(grouped ? "products/grouped_mm" : "products/loop", {"hash", {{"experts", experts}}},
          [=](benchmark::State& state, const LayerCase& setting) { products(state, setting, grouped); });
    }
  }
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): an error may end a benchmark
  return moe::run_benchmarks(argc, argv, moe::register_all);
}
