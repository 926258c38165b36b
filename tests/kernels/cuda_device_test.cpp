// Every kernel that has a CUDA side, on a GPU against the CPU. Without a GPU these cases say so and check nothing;
// tools/gpu-check runs them where there is one, also under compute-sanitizer.
#include "kernels/adamw.h"
#include "kernels/dropout.h"
#include "kernels/experts/expert_ffn.h"
#include "kernels/experts/expert_rows.h"
#include "kernels/layer_norm.h"
#include "kernels/losses/fused_linear_losses.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <vector>

// Legend: N rows, D width, F hidden width, E experts, M pairs, T tokens, P passes, V vocabulary.

namespace moe {
namespace {

using torch::Tensor;
using Tensors = std::vector<Tensor>;

bool has_gpu() {
  if (torch::cuda::is_available()) return true;
  WARN("There is no GPU: nothing was checked.");
  return false;
}

/// Copies on a device. Those of floating point get gradients where the first ones have them.
Tensors copied(const Tensors& tensors, torch::Device device) {
  Tensors copies;
  for (const Tensor& tensor : tensors) {
    copies.push_back(tensor.detach().clone().to(device).requires_grad_(tensor.requires_grad()));
  }
  return copies;
}

/// The results of a function, and the gradients of all inputs that have some, on the CPU.
Tensors results_on(torch::Device device, const Tensors& inputs,
                   const std::function<Tensors(const Tensors&)>& function) {
  const Tensors own = copied(inputs, device);
  const Tensors outputs = function(own);
  Tensors leaves, upstream, found;
  for (const Tensor& input : own) {
    if (input.requires_grad()) leaves.push_back(input);
  }
  Tensors differentiable;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    found.push_back(outputs[i].detach().cpu());
    if (!outputs[i].requires_grad()) continue;
    differentiable.push_back(outputs[i]);
    upstream.push_back(noise(outputs[i].sizes(), 90 + static_cast<int>(i)).to(device, outputs[i].scalar_type()));
  }
  if (!leaves.empty()) {
    for (const Tensor& gradient : torch::autograd::grad(differentiable, leaves, upstream)) {
      found.push_back(gradient.cpu());
    }
  }
  return found;
}

/// Within `tolerance` of the largest element of each result.
void check_same(const Tensors& inputs, const std::function<Tensors(const Tensors&)>& function, double tolerance) {
  const Tensors expected = results_on(torch::kCPU, inputs, function),
                found = results_on(torch::kCUDA, inputs, function);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    const double largest = expected[i].numel() == 0 ? 0 : expected[i].abs().max().item<double>();
    CHECK(all_close(found[i], expected[i], tolerance * std::max(1.0, largest)));
  }
  const Tensors again = results_on(torch::kCUDA, inputs, function);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(again[i].equal(found[i]));  // sums in a fixed order
}

Tensor leaf(const std::vector<std::int64_t>& shape, int key, torch::Dtype dtype = torch::kFloat32) {
  return noise(shape, key, dtype).requires_grad_(true);
}

}  // namespace

TEST_CASE("layer norm on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  const torch::Dtype dtype = GENERATE(torch::kFloat32, torch::kBFloat16);
  for (const std::int64_t width : {33, 512}) {
    check_same(
        {leaf({301, width}, 0), leaf({width}, 1), leaf({width}, 2)},
        [&](const Tensors& in) {
          const NormedBranch branch = normed_branch(in[0], in[1], in[2], 1e-5, dtype);
          return Tensors{branch.residual, branch.normed};
        },
        dtype == torch::kFloat32 ? 1e-5 : 1e-2);
  }
}

TEST_CASE("dropout on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  const torch::Dtype dtype = GENERATE(torch::kFloat32, torch::kBFloat16);
  const std::vector<std::uint64_t> keys{7, 0xfedcba9876543210ULL};
  check_same(
      {leaf({10, 101}, 0), leaf({10, 101}, 1, dtype)},
      [&](const Tensors& in) {
        return Tensors{residual_dropout(in[0], in[1], 0.3, keys), keyed_dropout(in[1], 0.3, keys)};
      },
      dtype == torch::kFloat32 ? 1e-6 : 1e-2);
}

TEST_CASE("AdamW and the norm of gradients on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  check_same(
      {noise({3, 5003}, 0), noise({3, 5003}, 1), noise({3, 5003}, 2), uniform_noise({3, 5003}, 3)},
      [](const Tensors& in) {
        std::vector<float> steps{0, 4};
        std::vector<AdamwPart> parts;  // the second of three is not stepped
        for (const std::int64_t slice : {0, 2}) {
          parts.push_back(
              {in[0], in[1], in[2], in[3], slice * 5003, 5003, &steps[static_cast<std::size_t>(slice / 2)]});
        }
        const double norm = gradient_norm(parts);
        adamw_step(parts, {.learning_rate = 0.01, .weight_decay = 0.1, .gradient_scale = 0.25});
        return Tensors{in[0], in[2], in[3], torch::tensor(norm)};
      },
      1e-5);
}

TEST_CASE("losses of projected states on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  const std::int64_t passes = GENERATE(1, 2);
  const torch::Dtype dtype = GENERATE(torch::kFloat32, torch::kBFloat16);
  check_same(
      {leaf({passes, 77, 64}, 0, dtype), leaf({1003, 64}, 1, dtype), random_indices({77}, 2, 1003)},
      [](const Tensors& in) {
        const FusedLinearLosses losses = fused_linear_losses(in[0], in[1], in[2], 0.1, 5);
        return Tensors{losses.total, torch::tensor({losses.smoothed, losses.plain, losses.divergence})};
      },
      dtype == torch::kFloat32 ? 1e-5 : 3e-2);
}

TEST_CASE("experts on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  // bfloat16 goes through the library's grouped product with multiples of 8, else expert by expert.
  const auto [width, hidden] = GENERATE(std::pair{64, 128}, std::pair{20, 36});
  const torch::Dtype dtype = GENERATE(torch::kFloat32, torch::kBFloat16);
  CAPTURE(width, hidden, dtype);
  constexpr std::int64_t tokens = 150, pairs = 300, experts = 4;
  const std::vector<std::int64_t> offsets{0, 130, 130, 131, pairs};  // expert 1 has no rows
  const Tensor token_M = random_indices({pairs}, 7, tokens);
  check_same(
      {leaf({tokens, width}, 0, dtype), leaf({pairs}, 1), leaf({experts, hidden, width}, 2, dtype),
       leaf({experts, hidden}, 3, dtype), leaf({experts, width, hidden}, 4, dtype), leaf({experts, width}, 5, dtype),
       token_M},
      [&](const Tensors& in) {
        return Tensors{expert_ffn(in[0], in[6], in[1], offsets, {in[2], in[3], in[4], in[5]})};
      },
      dtype == torch::kFloat32 ? 1e-5 : 3e-2);
}

TEST_CASE("experts without any pair on this GPU", "[cuda]") {
  if (!has_gpu()) return;
  check_same(
      {leaf({5, 16}, 0), leaf({2, 8, 16}, 2), leaf({2, 8}, 3), leaf({2, 16, 8}, 4), leaf({2, 16}, 5)},
      [](const Tensors& in) {
        const Tensor none = torch::empty({0}, in[0].options().dtype(torch::kInt64).requires_grad(false));
        return Tensors{expert_ffn(in[0], none, {}, {0, 0, 0}, {in[1], in[2], in[3], in[4]})};
      },
      0);
}

}  // namespace moe
