#include "kernels/gemm/linear.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>

namespace moe {
namespace {

/// Result and gradients for one upstream gradient.
std::vector<torch::Tensor> all_of(const torch::Tensor& y, const torch::Tensor& upstream,
                                  const std::vector<torch::Tensor>& inputs) {
  std::vector<torch::Tensor> results = torch::autograd::grad({(y * upstream).sum()}, inputs);
  results.push_back(y.detach());
  return results;
}

}  // namespace

TEST_CASE("a linear map and its gradients are LibTorch's") {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    for (const std::int64_t rows : {5, 35}) {  // three times as many: by LibTorch's product and, in float32, by ours
      for (const std::int64_t in : {40, 150}) {
        for (const std::int64_t out : {1, 24, 70, 130}) {
          CAPTURE(type, rows, in, out);
          const torch::Tensor x = noise({3, rows, in}, 0, type).requires_grad_(true);
          const torch::Tensor w = noise({out, in}, 1, type).requires_grad_(true);
          const torch::Tensor b = noise({out}, 2, type).requires_grad_(true);
          const torch::Tensor upstream = noise({3, rows, out}, 3, type);
          const auto ours = all_of(fused_linear(x, w, b), upstream, {x, w, b});
          const auto theirs = all_of(torch::linear(x, w, b), upstream, {x, w, b});
          for (std::size_t i = 0; i < ours.size(); ++i) CHECK(all_close(ours[i], theirs[i], 1e-4));
        }
      }
    }
  }
}

TEST_CASE("a linear map takes views, rows of a larger weight and no bias") {
  const torch::Tensor x = noise({4, 6, 32}, 0).transpose(0, 1);
  const torch::Tensor all = noise({96, 32}, 1).requires_grad_(true);
  const torch::Tensor w = all.narrow(0, 32, 48);
  CHECK(all_close(fused_linear(x, w), torch::linear(x, w), 1e-4));
  fused_linear(x, w).sum().backward();
  CHECK(all.grad().narrow(0, 0, 32).abs().max().item<double>() == 0);
  CHECK(all.grad().narrow(0, 32, 48).abs().max().item<double>() > 0);
}

TEST_CASE("under autocast a linear map is that of bfloat16, and gradients are of the inputs' type") {
  const torch::Tensor x = noise({3, 35, 40}, 0).requires_grad_(true);
  const torch::Tensor w = noise({70, 40}, 1).requires_grad_(true), b = noise({70}, 2).requires_grad_(true);
  const torch::Tensor upstream = noise({3, 35, 70}, 3);
  const auto lowered = [&](const auto& map) {
    at::autocast::set_autocast_enabled(at::kCPU, true);
    const torch::Tensor y = map(x, w, b);
    at::autocast::set_autocast_enabled(at::kCPU, false);
    CHECK(y.scalar_type() == torch::kBFloat16);
    return all_of(y.to(torch::kFloat32), upstream, {x, w, b});
  };
  const auto ours = lowered([](const auto&... inputs) { return fused_linear(inputs...); });
  const auto theirs = lowered([](const auto&... inputs) { return torch::linear(inputs...); });
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(ours[i].scalar_type() == torch::kFloat32);
    CHECK(all_close(ours[i], theirs[i], 0.5));  // two last places of bfloat16 around 60
  }
}

TEST_CASE("a product is the same for any number of threads") {
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    for (const auto& [depth, columns] : {std::pair{300, 200}, {100, 96}, {100, 900}}) {
      CAPTURE(type, depth, columns);
      const torch::Tensor a = noise({1100, depth}, 0, type), b = noise({columns, depth}, 1, type).t(),
                          bias = noise({columns}, 2, type);
      torch::Tensor one = torch::empty({1100, columns}, type), three = torch::empty_like(one);
      const WithThreads alone(1);
      gemm_out(one, a, b, bias, true);
      const WithThreads shared(3);
      gemm_out(three, a, b, bias, true);
      CHECK(one.equal(three));
      CHECK(all_close(one, torch::addmm(bias, a, b).relu(), type == torch::kFloat32 ? 1e-3 : 0.5));
    }
  }
}

}  // namespace moe
