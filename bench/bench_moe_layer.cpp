// What an MoE layer costs beside the plain feed-forward net that each of its tokens passes through: width 256, hidden
// width 1024, float32. A training pass is forward and backward; its gradients are made anew each time, as in training.
#include "core/error.h"
#include "core/memory.h"
#include "kernels/expert_ffn.h"
#include "model/initialisation.h"
#include "model/model_batch.h"
#include "model/moe_layer.h"
#include "routers/registry.h"

#include <torch/types.h>

#include <benchmark/benchmark.h>

// Legend: T tokens, M kept pairs, E experts, D width, F hidden width.

namespace moe {
namespace {

constexpr std::int64_t width = 256, hidden = 1024, sentence_length = 32, vocabulary = 8000;

Tokens make_tokens(std::int64_t count, Phase phase) {
  std::vector<std::int64_t> ids, sentence;
  for (std::int64_t t = 0; t < count; ++t) ids.push_back(end_id + 1 + t % (vocabulary - end_id - 1));
  for (std::int64_t row = 0; row < count / sentence_length; ++row) sentence.push_back(row);
  const std::vector<std::int64_t> direction(sentence.size(), 0);
  Tokens tokens = make_model_tokens(ids, sentence_length, sentence, direction, torch::kCPU).routing;
  tokens.phase = phase;
  return tokens;
}

MoeLayer make_layer(const std::string& router, const Json& options) {
  const RouterEntry& entry = find_router(router);
  ConfigErrors errors;
  const Json resolved = entry.resolve(options, "strategy", errors);
  errors.throw_if_any("benchmark");
  RouterContext context{.width = width};
  context.token_counts.assign(vocabulary, 1);
  return MoeLayer("layer", {width, hidden, false}, entry.make(resolved, context), 1);
}

torch::Tensor make_states(std::int64_t tokens) {
  return normal_parameter({tokens, width}, 1, 1, "states");
}

/// `passes`: 1 for a forward pass, 3 with the backward one.
void count(benchmark::State& state, std::int64_t experts, std::int64_t tokens, double passes) {
  const double flops = passes * 2 * 2 * static_cast<double>(width * hidden * tokens);
  state.counters["experts"] = static_cast<double>(experts);
  state.counters["tokens"] = static_cast<double>(tokens);
  state.counters["GFLOP/s"] = benchmark::Counter(flops / 1e9, benchmark::Counter::kIsIterationInvariantRate);
}

void training_pass(benchmark::State& state, const std::string& router, std::int64_t experts) {
  const std::int64_t rows = state.range(0);
  MoeLayer layer = make_layer(router, router == "dense" ? Json::object() : Json{{"experts", experts}});
  const Tokens tokens = make_tokens(rows, Phase::train);
  const torch::Tensor x_TD = make_states(rows).requires_grad_(true);
  const torch::Tensor upstream_TD = make_states(rows);
  for (auto _ : state) {
    layer.zero_grad();
    x_TD.mutable_grad().reset();
    layer.forward(x_TD, tokens).y_TD.backward(upstream_TD);
  }
  count(state, experts, rows, 3);
}

void inference(benchmark::State& state, const std::string& router, const Json& options) {
  const torch::InferenceMode inference_mode;
  const std::int64_t rows = state.range(0);
  MoeLayer layer = make_layer(router, options);
  const Tokens tokens = make_tokens(rows, Phase::evaluate);
  const torch::Tensor x_TD = make_states(rows);
  for (auto _ : state) benchmark::DoNotOptimize(layer.forward(x_TD, tokens));
  count(state, options.value("experts", 1), rows, 1);
}

/// The products of kernels/expert_ffn.h by LibTorch's grouped product.
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
void products(benchmark::State& state, bool grouped) {
  const torch::InferenceMode inference_mode;
  const std::int64_t experts = state.range(0), rows = state.range(1), share = rows / experts;
  const torch::Tensor x_TD = make_states(rows);
  const torch::Tensor token_M = torch::arange(rows).view({share, experts}).t().flatten();
  std::vector<std::int64_t> offsets;
  for (std::int64_t e = 0; e <= experts; ++e) offsets.push_back(e * share);
  const torch::Tensor offsets_E = (torch::arange(1, experts + 1) * share).to(torch::kInt32);
  const torch::Tensor expert_M = torch::arange(experts).repeat_interleave(share);
  const auto parameters = make_layer("hash", {{"experts", experts}}).expert_parameters();
  const ExpertWeights weights{parameters[0], parameters[1], parameters[2], parameters[3]};
  const auto by_loop = [&] { return expert_ffn(x_TD, token_M, {}, offsets, weights); };
  const auto by_group = [&] { return grouped_ffn(x_TD, token_M, offsets_E, expert_M, weights); };
  MOE_CHECK(torch::allclose(by_loop(), by_group(), 1e-3, 1e-3), "The grouped product computes something else.");
  for (auto _ : state) benchmark::DoNotOptimize(grouped ? by_group() : by_loop());
  count(state, experts, rows, 1);
}

void register_all() {
  const auto add = [](const std::string& name, auto run) {
    return benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMillisecond)->UseRealTime();
  };
  for (const std::int64_t experts : {1, 4, 16, 64}) {
    const std::string router = experts == 1 ? "dense" : "switch";
    const std::string name = "training/" + router + (experts == 1 ? "" : "/" + std::to_string(experts));
    add(name, [=](benchmark::State& state) { training_pass(state, router, experts); })
        ->ArgName("tokens")
        ->Arg(2048)
        ->Arg(16384);
  }
  add("inference/dense", [](benchmark::State& state) { inference(state, "dense", Json::object()); })
      ->ArgName("tokens")
      ->Arg(2048)
      ->Arg(16384);
  for (const std::string mode : {"sentence", "token", "position_shared", "fixed:0"}) {
    const Json options = {{"experts", 64}, {"inference", mode}};
    add("inference/thor/64/" + mode, [=](benchmark::State& state) { inference(state, "thor", options); })
        ->ArgName("tokens")
        ->Arg(2048)
        ->Arg(16384);
  }
  for (const bool grouped : {false, true}) {
    add(grouped ? "products/grouped_mm" : "products/loop", [=](benchmark::State& state) { products(state, grouped); })
        ->ArgNames({"experts", "tokens"})
        ->ArgsProduct({{4, 64}, {2048, 16384}});
  }
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): an error may end a benchmark
  moe::keep_freed_memory();        // as the program does
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  moe::register_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
