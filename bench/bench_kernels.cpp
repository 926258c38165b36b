// Our kernels beside LibTorch's own operations for the same: forward and backward, at the sizes of a training step of
// the `tiny` and `small` models (bench/training_case.h). Whatever is no faster than LibTorch's has no place here.
#include "bench/bench_main.h"
#include "bench/training_case.h"
#include "kernels/attention/attention.h"
#include "kernels/dropout.h"
#include "kernels/experts/expert_rows.h"
#include "kernels/gemm/linear.h"
#include "kernels/gemm/select.h"
#include "kernels/losses/fused_linear_losses.h"
#include "training/optimizer.h"

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <functional>

// Legend: B sentences, T positions, N = B T rows, D width, V vocabulary, M pairs.

namespace moe {
namespace {

using torch::Tensor;

torch::Dtype dtype_of(const TrainingCase& setting) {
  return setting.precision == "bf16" ? torch::kBFloat16 : torch::kFloat32;
}

Tensor random_leaf(const TrainingCase& setting, const std::vector<std::int64_t>& shape) {
  return torch::randn(shape).to(dtype_of(setting)).requires_grad_(true);
}

/// A work to time: makes its tensors once, and gives what is done again and again.
using Work = std::function<std::function<void()>(const TrainingCase&)>;

/// Forward and backward of `forward` over leaves whose gradients are made anew each time.
std::function<void()> both_ways(std::vector<Tensor> leaves, const std::function<Tensor()>& forward) {
  return [=] {
    for (const Tensor& leaf : leaves) leaf.mutable_grad().reset();
    const Tensor result = forward();
    result.dim() == 0 ? result.backward() : result.backward(torch::ones_like(result));
  };
}

std::function<void()> own_attention(const TrainingCase& setting) {
  const Tensor qkv = random_leaf(setting, {setting.sentences, setting.length, 3 * setting.width});
  return both_ways({qkv}, [=] { return self_attention(qkv, setting.heads, {}, /*causal=*/true); });
}

std::function<void()> libtorch_attention(const TrainingCase& setting) {
  const Tensor qkv = random_leaf(setting, {setting.sentences, setting.length, 3 * setting.width});
  return both_ways({qkv}, [=] {
    const auto heads = qkv.view({setting.sentences, setting.length, 3, setting.heads, -1}).transpose(1, 3).unbind(2);
    const Tensor attended =
        at::scaled_dot_product_attention(heads[0], heads[1], heads[2], std::nullopt, 0.0, /*is_causal=*/true);
    return attended.transpose(1, 2).flatten(2);
  });
}

/// Cross entropy from states; with two passes, also their symmetric KL.
std::function<void()> loss(const TrainingCase& setting, std::int64_t passes, bool own) {
  const Tensor state_PND = random_leaf(setting, {passes, setting.tokens(), setting.width});
  const Tensor weight_VD = random_leaf(setting, {setting.vocabulary, setting.width});
  const Tensor target_N = torch::randint(setting.vocabulary, {setting.tokens()}, torch::kInt64);
  return both_ways({state_PND, weight_VD}, [=] {
    if (own) return fused_linear_losses(state_PND, weight_VD, target_N, 0.1, 5).total;
    const Tensor logit_PNV = torch::linear(state_PND, weight_VD).to(torch::kFloat32);
    Tensor entropy = at::cross_entropy_loss(logit_PNV.flatten(0, 1), target_N.repeat(passes), std::nullopt,
                                            at::Reduction::Sum, -100, 0.1);
    if (passes == 1) return entropy;
    const auto log_probability = logit_PNV.log_softmax(-1).unbind(0);
    const auto kl = [&](std::size_t p, std::size_t q) {
      return at::kl_div(log_probability[q], log_probability[p], at::Reduction::Sum, /*log_target=*/true);
    };
    return entropy + 5 * (kl(0, 1) + kl(1, 0)) / 2;
  });
}

std::function<void()> residual(const TrainingCase& setting, bool own) {
  const Tensor state = random_leaf(setting, {setting.tokens(), setting.width});
  const Tensor output = random_leaf(setting, {setting.tokens(), setting.width});
  return both_ways({state, output}, [=] {
    return own ? residual_dropout(state, output, setting.dropout, 7)
               : state + torch::dropout(output, setting.dropout, /*train=*/true);
  });
}

/// The first map of a feed-forward net and the gradients of its input and its weight: products alone.
std::function<void()> affine_products(const TrainingCase& setting, bool own) {
  const auto type = dtype_of(setting);
  const Tensor x = torch::randn({setting.tokens(), setting.width}).to(type);
  const Tensor w = torch::randn({setting.ffn, setting.width}).to(type);
  const Tensor y = torch::randn({setting.tokens(), setting.ffn}).to(type);
  Tensor out_y = torch::empty_like(y), out_x = torch::empty_like(x), out_w = torch::empty_like(w);
  return [=]() mutable {
    const torch::InferenceMode inference_mode;
    const auto multiply = [&](Tensor& out, const Tensor& a, const Tensor& b) {
      own ? gemm_out(out, a, b) : static_cast<void>(at::mm_out(out, a, b));
    };
    multiply(out_y, x, w.t());
    multiply(out_x, y, w);
    multiply(out_w, y.t(), x);
  };
}

/// Rows of two experts a token back to their tokens, forward only.
std::function<void()> combine(const TrainingCase& setting, bool own) {
  const std::int64_t pairs = 2 * setting.tokens();
  const Tensor y_MD = torch::randn({pairs, setting.width}).to(dtype_of(setting));
  const Tensor token_M = torch::randperm(pairs).remainder(setting.tokens());
  const Tensor weight_M = torch::rand({pairs}).to(dtype_of(setting));
  return [=] {
    const torch::InferenceMode inference_mode;
    if (own) {
      benchmark::DoNotOptimize(unpermute_rows(y_MD, token_M, weight_M, setting.tokens()));
    } else {
      const Tensor out_TD = torch::zeros({setting.tokens(), setting.width}, y_MD.options());
      benchmark::DoNotOptimize(out_TD.index_add(0, token_M, y_MD * weight_M.unsqueeze(1)));
    }
  };
}

/// Clipping and stepping all parameters of the model.
std::function<void()> optimizer_step(const TrainingCase& setting) {
  const EncodedSet set = random_sentences(setting, setting.sentences);
  const auto model = make_model(setting, set);
  const auto optimizer = std::make_shared<Optimizer>(*model, TrainingSettings());
  ExpertLoads loads;
  for (const auto& layer : model->moe_layers()) loads.emplace_back(layer->layout().count, 1);
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : model->parameters()) gradients.push_back(torch::full_like(parameter, 1e-3));
  return [=] {
    auto gradient = gradients.begin();
    for (const Tensor& parameter : model->parameters()) parameter.mutable_grad() = *gradient++;
    optimizer->step(1e-4, loads);
  };
}

void add(const std::string& name, const TrainingCase& setting, const Work& work) {
  const std::string full = fmt::format("{}/{}/{}", name, setting.name, setting.precision);
  benchmark::RegisterBenchmark(full.c_str(),
                               [=](benchmark::State& state) {
                                 const auto run = work(setting);
                                 run();
                                 for (auto _ : state) run();
                                 state.counters["tokens"] = static_cast<double>(setting.tokens());
                                 state.counters["width"] = static_cast<double>(setting.width);
                                 state.counters["threads"] = at::get_num_threads();
                                 state.SetLabel(product_path(setting.precision == "bf16"));
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

void register_all() {
  for (const TrainingCase& setting : training_cases()) {
    if (products_of(dtype_of(setting)).one_thread != Product::library) add("attention/own", setting, own_attention);
    add("attention/libtorch", setting, libtorch_attention);
    for (const bool own : {true, false}) {
      const std::string whose = own ? "/own" : "/libtorch";
      const auto with = [own](auto work) { return [=](const TrainingCase& c) { return work(c, own); }; };
      for (const std::int64_t passes : {1, 2}) {
        add((passes == 1 ? "loss" : "loss of two passes") + whose, setting,
            [=](const TrainingCase& c) { return loss(c, passes, own); });
      }
      if (products_of(dtype_of(setting)).linear != Product::library)
        add("products" + whose, setting, with(affine_products));
      add("residual" + whose, setting, with(residual));
      add("combine" + whose, setting, with(combine));
    }
    if (setting.precision == "fp32") add("optimizer/own", setting, optimizer_step);
  }
}

}  // namespace
}  // namespace moe

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): an error may end a benchmark
  return moe::run_benchmarks(argc, argv, moe::register_all);
}
