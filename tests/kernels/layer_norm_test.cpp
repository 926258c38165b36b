#include "kernels/layer_norm.h"

#include "tests/kernels/waves.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/threads.h"

#include <torch/csrc/autograd/autograd.h>

namespace moe {
namespace {

constexpr double epsilon = 1e-5;

/// A stream, the norm's parameters, and gradients for both results; the norm's can be told in bfloat16.
struct NormProblem {
  torch::Tensor x, weight_D, bias_D, grad_residual, grad_normed;

  NormProblem(std::int64_t rows, std::int64_t width, torch::Dtype dtype)
      : x((3 * wavy({rows, 2, width}, 1.7, dtype) + 0.5).requires_grad_(true)),
        weight_D((1 + wavy({width}, 0.7, dtype)).requires_grad_(true)),
        bias_D(wavy({width}, 0.3, dtype).requires_grad_(true)),
        grad_residual(wavy({rows, 2, width}, 0.9, dtype)),
        grad_normed(wavy({rows, 2, width}, 0.4, torch::kBFloat16).to(dtype)) {}

  NormedBranch branch(torch::Dtype dtype) const { return normed_branch(x, weight_D, bias_D, epsilon, dtype); }
  std::vector<torch::Tensor> gradients(const NormedBranch& branch) const {
    const torch::Tensor total =
        (branch.residual * grad_residual).sum() + (branch.normed * grad_normed.to(branch.normed.scalar_type())).sum();
    return torch::autograd::grad({total}, {x, weight_D, bias_D});
  }
};

}  // namespace

TEST_CASE("a branch is the stream and its layer norm, value and gradients") {
  for (const auto& [rows, width] : std::vector<std::array<std::int64_t, 2>>{{1, 4}, {3, 33}, {150, 128}}) {
    CAPTURE(rows, width);
    const NormProblem problem(rows, width, torch::kFloat32), exact(rows, width, torch::kFloat64);
    const NormedBranch branch = problem.branch(torch::kFloat32);
    CHECK(branch.residual.equal(problem.x));
    const torch::Tensor normed = at::layer_norm(exact.x, {width}, exact.weight_D, exact.bias_D, epsilon);
    CHECK(all_close(branch.normed, normed, 1e-5));
    const auto gradients = problem.gradients(branch), expected = exact.gradients({exact.x, normed});
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      CAPTURE(i);
      CHECK(all_close(gradients[i], expected[i], 1e-5 * std::max(1.0, expected[i].abs().max().item<double>())));
    }
  }
}

TEST_CASE("a branch in bfloat16 is rounded once, and its gradient comes back in float32") {
  const NormProblem problem(20, 64, torch::kFloat32);
  const NormedBranch exact = problem.branch(torch::kFloat32), rounded = problem.branch(torch::kBFloat16);
  CHECK(rounded.residual.scalar_type() == torch::kFloat32);
  CHECK(rounded.normed.equal(exact.normed.to(torch::kBFloat16)));
  const auto gradients = problem.gradients(rounded), expected = problem.gradients(exact);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    CHECK(gradients[i].scalar_type() == torch::kFloat32);
    CHECK(gradients[i].equal(expected[i]));
  }
}

TEST_CASE("either result of a branch may go unused") {
  const NormProblem problem(5, 8, torch::kFloat32);
  const auto of_normed =
      torch::autograd::grad({(problem.branch(torch::kFloat32).normed * problem.grad_normed).sum()}, {problem.x});
  const auto of_residual =
      torch::autograd::grad({(problem.branch(torch::kFloat32).residual * problem.grad_residual).sum()}, {problem.x});
  CHECK(of_residual[0].equal(problem.grad_residual));
  const auto both = problem.gradients(problem.branch(torch::kFloat32));
  CHECK(all_close(of_normed[0] + of_residual[0], both[0], 1e-6));
}

TEST_CASE("a branch's gradients are the same for any number of threads, and another type's go through LibTorch") {
  const NormProblem problem(500, 16, torch::kFloat32);
  std::vector<std::vector<torch::Tensor>> all;
  for (const int count : {1, 3}) {
    const WithThreads threads(count);
    all.push_back(problem.gradients(problem.branch(torch::kFloat32)));
  }
  for (std::size_t i = 0; i < all[0].size(); ++i) CHECK(all[0][i].equal(all[1][i]));

  const NormProblem exact(3, 5, torch::kFloat64);
  CHECK(gradient_error(
            [&](const torch::Tensor& x) {
              const NormedBranch branch = normed_branch(x, exact.weight_D, exact.bias_D, epsilon, torch::kFloat64);
              return (branch.residual * exact.grad_residual + branch.normed * exact.grad_normed).sum();
            },
            exact.x) < 1e-7);
}

}  // namespace moe
