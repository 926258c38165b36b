#include "kernels/gemm/gate_gemm.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <vector>

// Legend: T tokens, D width, E experts.

namespace moe {
namespace {

struct GateSizes {
  std::int64_t tokens, width, experts;
};
// In one block, and in three.
const std::vector<GateSizes> gate_sizes = {{0, 8, 4},       {1, 2, 1},  {33, 34, 70},  {600, 1024, 5},
                                           {1100, 96, 257}, {40, 7, 3}, {600, 1023, 5}};

struct Case {
  torch::Tensor x_TD, weight_ED, upstream_TE;

  explicit Case(const GateSizes& sizes)
      : x_TD(noise({sizes.tokens, sizes.width}, 0, torch::kBFloat16).requires_grad_(true)),
        weight_ED(noise({sizes.experts, sizes.width}, 1).requires_grad_(true)),
        upstream_TE(noise({sizes.tokens, sizes.experts}, 2)) {}

  /// Logits, and the gradients of the states and of the weight.
  std::vector<torch::Tensor> results() const {
    const torch::Tensor logit_TE = gate_gemm(x_TD, weight_ED);
    auto results = torch::autograd::grad({logit_TE}, {x_TD, weight_ED}, {upstream_TE});
    results.insert(results.begin(), logit_TE.detach());
    return results;
  }
};

/// a b in float64, and the sum of its terms' magnitudes.
struct ExactProduct {
  torch::Tensor value, magnitude;

  ExactProduct(const torch::Tensor& a, const torch::Tensor& b) {
    const torch::Tensor wide_a = a.detach().to(torch::kFloat64), wide_b = b.detach().to(torch::kFloat64);
    value = wide_a.mm(wide_b);
    magnitude = wide_a.abs().mm(wide_b.abs());
  }
  bool is_within(const torch::Tensor& actual, double of_terms, double of_value) const {
    const torch::Tensor error = (actual.to(torch::kFloat64) - value).abs();
    return (error <= of_terms * magnitude + of_value * value.abs() + 1e-12).all().item<bool>();
  }
};

}  // namespace

TEST_CASE("a gate on bfloat16 states computes in float32: exact operands, and only its states' gradient is rounded") {
  for (const GateSizes& sizes : gate_sizes) {
    CAPTURE(sizes.tokens, sizes.width, sizes.experts);
    const Case gate(sizes);
    const auto results = gate.results();
    CHECK(results[0].scalar_type() == torch::kFloat32);
    CHECK(results[1].scalar_type() == torch::kBFloat16);
    CHECK(results[2].scalar_type() == torch::kFloat32);
    CHECK(ExactProduct(gate.x_TD, gate.weight_ED.t()).is_within(results[0], 5e-7, 0));
    CHECK(ExactProduct(gate.upstream_TE, gate.weight_ED).is_within(results[1], 2e-5, 1.0 / 256));
    CHECK(ExactProduct(gate.upstream_TE.t(), gate.x_TD).is_within(results[2], 5e-7, 0));
  }
}

}  // namespace moe
