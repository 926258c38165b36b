#include "kernels/losses/fused_linear_losses.h"

#include "core/error.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/symmetric_kl.h"
#include "tests/kernels/waves.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

namespace moe {
namespace {

/// The same from the logits of each pass, by the losses of logits.
FusedLinearLosses projected_reference(const torch::Tensor& state_PND, const torch::Tensor& weight_VD,
                                      const torch::Tensor& target_N, double consistency) {
  const auto logits = state_PND.matmul(weight_VD.t()).unbind(0);
  FusedLinearLosses losses;
  losses.total = torch::zeros({}, torch::kFloat64);
  for (const torch::Tensor& logit_NV : logits) {
    const CrossEntropy entropy = cross_entropy(logit_NV, target_N, 0.1);
    losses.total = losses.total + entropy.smoothed;
    losses.smoothed += entropy.smoothed.item<double>();
    losses.plain += entropy.plain.item<double>();
  }
  if (logits.size() == 2) {
    const torch::Tensor divergence = symmetric_kl(logits[0], logits[1]);
    losses.divergence = divergence.item<double>();
    losses.total = losses.total + consistency * divergence;
  }
  return losses;
}

struct Leaves {
  torch::Tensor state_PND, weight_VD;

  Leaves in(torch::Dtype dtype) const {
    return {state_PND.detach().to(dtype).requires_grad_(true), weight_VD.detach().to(dtype).requires_grad_(true)};
  }
};

}  // namespace

TEST_CASE("losses of projected states are those of their logits, value and gradients, in every type") {
  for (const std::int64_t passes : {1, 2}) {
    // More rows than a block of 4 MiB has.
    for (const auto& [rows, width, vocabulary] :
         std::vector<std::array<std::int64_t, 3>>{{5, 4, 7}, {301, 16, 6001}, {0, 4, 7}}) {
      const Leaves values{wavy({passes, rows, width}, 1.7, torch::kFloat64),
                          wavy({vocabulary, width}, 0.9, torch::kFloat64)};
      for (const torch::Dtype dtype : {torch::kFloat64, torch::kFloat32, torch::kBFloat16}) {
        CAPTURE(passes, rows, vocabulary, static_cast<int>(dtype));
        const torch::Tensor target_N = spread_targets(rows, vocabulary);
        const Leaves leaves = values.in(dtype), precise = leaves.in(torch::kFloat64);
        const FusedLinearLosses losses = fused_linear_losses(leaves.state_PND, leaves.weight_VD, target_N, 0.1, 5);
        const FusedLinearLosses expected = projected_reference(precise.state_PND, precise.weight_VD, target_N, 5);
        (0.5 * losses.total).backward();
        (0.5 * expected.total).backward();
        const double tolerance = dtype == torch::kFloat64 ? 1e-12 : dtype == torch::kFloat32 ? 2e-5 : 2e-2;
        CHECK(losses.total.item<double>() == Approx(expected.total.item<double>()).epsilon(tolerance));
        CHECK(losses.smoothed == Approx(expected.smoothed).epsilon(tolerance));
        CHECK(losses.plain == Approx(expected.plain).epsilon(tolerance));
        CHECK(losses.divergence == Approx(expected.divergence).epsilon(tolerance));
        if (rows == 0) continue;
        for (const auto& [leaf, exact] :
             {std::pair{leaves.state_PND, precise.state_PND}, std::pair{leaves.weight_VD, precise.weight_VD}}) {
          const double size = exact.grad().abs().max().item<double>();
          CHECK((leaf.grad().to(torch::kFloat64) - exact.grad()).abs().max().item<double>() < tolerance * size);
        }
        const torch::NoGradGuard no_gradient;
        CHECK(fused_linear_losses(leaves.state_PND, leaves.weight_VD, target_N, 0.1, 5).plain == losses.plain);
      }
    }
  }
}

TEST_CASE("losses of projected states have the gradients of finite differences") {
  const torch::Tensor target_N = spread_targets(4, 6);
  for (const std::int64_t passes : {1, 2}) {
    const torch::Tensor state_PND = 2 * wavy({passes, 4, 3}, 1.7, torch::kFloat64),
                        weight_VD = wavy({6, 3}, 0.9, torch::kFloat64);
    const auto of_state = [&](const torch::Tensor& x) {
      return 1.5 * fused_linear_losses(x, weight_VD, target_N, 0.1, 3).total;
    };
    const auto of_weight = [&](const torch::Tensor& w) {
      return fused_linear_losses(state_PND, w, target_N, 0.1, 3).total;
    };
    CHECK(gradient_error(of_state, state_PND) < 1e-7);
    CHECK(gradient_error(of_weight, weight_VD) < 1e-7);
  }
}

TEST_CASE("two equal passes diverge by exactly 0, and far apart ones stay finite") {
  const torch::Tensor weight_VD = torch::eye(2), target_N = torch::tensor({0}, torch::kInt64);
  const torch::Tensor same = torch::tensor({3.0F, -2.0F}).repeat({2, 1, 1});
  CHECK(fused_linear_losses(same, weight_VD, target_N, 0.1, 5).divergence == 0);
  // All mass on one id against all mass on the other: each direction is 400.
  torch::Tensor far = torch::tensor({200.0F, -200.0F, -200.0F, 200.0F}).view({2, 1, 2}).requires_grad_(true);
  const FusedLinearLosses losses = fused_linear_losses(far, weight_VD, target_N, 0, 2);
  losses.total.backward();
  CHECK(losses.divergence == Approx(400));
  CHECK(losses.plain == Approx(400));
  // Cross entropy: p - target; consistency: 2 times (0.5, -0.5) and its mirror image.
  CHECK(all_close(far.grad().flatten(), torch::tensor({1.0F, -1.0F, -2.0F, 2.0F}), 1e-5));
}

TEST_CASE("losses of projected states are the same for any number of threads") {
  const torch::Tensor state_PND = wavy({2, 500, 4}, 0.37, torch::kFloat64),
                      weight_VD = wavy({50, 4}, 0.9, torch::kFloat64), target_N = spread_targets(500, 50);
  std::vector<double> totals;
  for (const int count : {1, 2, 3}) {
    const WithThreads threads(count);
    totals.push_back(fused_linear_losses(state_PND, weight_VD, target_N, 0.1, 5).total.item<double>());
  }
  CHECK(totals[0] == totals[1]);
  CHECK(totals[0] == totals[2]);
}

TEST_CASE("losses of three passes are refused") {
  CHECK_THROWS_AS(fused_linear_losses(torch::zeros({3, 1, 2}), torch::eye(2), torch::zeros({1}, torch::kInt64), 0, 0),
                  Error);
}

}  // namespace moe
