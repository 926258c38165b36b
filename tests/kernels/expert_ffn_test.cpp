#include "kernels/experts/expert_ffn.h"

#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/csrc/autograd/autograd.h>

#include <vector>

// Legend: T rows, M pairs, E experts, D width, F hidden width.

namespace moe {
namespace {

/// One problem: what goes into the kernel, every tensor with a gradient of its own.
struct FfnProblem {
  torch::Tensor x_TD, token_M, weight_M;
  std::vector<std::int64_t> offsets;
  ExpertWeights weights;

  std::vector<torch::Tensor> inputs() const {
    return {x_TD, weight_M, weights.w1_EFD, weights.b1_EF, weights.w2_EDF, weights.b2_ED};
  }
};

// In float32 a thread computes an expert by products of ours, in float64 all threads by those of LibTorch.
constexpr std::int64_t rows = 5, width = 16, hidden = 32;

FfnProblem make_problem(const std::vector<std::int64_t>& token, const std::vector<std::int64_t>& offsets,
                        torch::Dtype dtype) {
  const auto experts = static_cast<std::int64_t>(offsets.size()) - 1;
  const auto leaf = [&](const std::vector<std::int64_t>& shape, int name) {
    return noise(shape, name, dtype).requires_grad_(true);
  };
  return {leaf({rows, width}, 0),
          torch::tensor(token, torch::kInt64),
          leaf({static_cast<std::int64_t>(token.size())}, 1),
          offsets,
          {leaf({experts, hidden, width}, 2), leaf({experts, hidden}, 3), leaf({experts, width, hidden}, 4),
           leaf({experts, width}, 5)}};
}

/// Four experts, of which 1 is unused; row 0 has three pairs, row 3 none.
FfnProblem usual_problem(torch::Dtype dtype) {
  return make_problem({0, 2, 0, 1, 4, 0, 1}, {0, 2, 2, 5, 7}, dtype);
}

torch::Tensor run_kernel(const FfnProblem& p) {
  return expert_ffn(p.x_TD, p.token_M, p.weight_M, p.offsets, p.weights);
}

/// Pair after pair, with autograd.
torch::Tensor run_reference(const FfnProblem& p) {
  std::vector<torch::Tensor> out;
  for (std::int64_t t = 0; t < rows; ++t) out.push_back(torch::zeros({width}, p.x_TD.options()));
  for (std::int64_t e = 0; e + 1 < static_cast<std::int64_t>(p.offsets.size()); ++e) {
    for (std::int64_t m = p.offsets[static_cast<std::size_t>(e)]; m < p.offsets[static_cast<std::size_t>(e) + 1]; ++m) {
      const auto t = p.token_M[m].item<std::int64_t>();
      const torch::Tensor active = (p.weights.w1_EFD[e].mv(p.x_TD[t]) + p.weights.b1_EF[e]).clamp_min(0);
      const torch::Tensor y = p.weights.w2_EDF[e].mv(active) + p.weights.b2_ED[e];
      torch::Tensor& row = out[static_cast<std::size_t>(t)];
      row = row + (p.weight_M.defined() ? p.weight_M[m] * y : y);
    }
  }
  return torch::stack(out);
}

std::vector<torch::Tensor> gradients(const torch::Tensor& out_TD, const FfnProblem& problem) {
  const torch::Tensor upstream_TD = noise({rows, width}, 9, out_TD.scalar_type());
  std::vector<torch::Tensor> inputs;
  for (const torch::Tensor& input : problem.inputs()) {
    if (input.defined()) inputs.push_back(input);
  }
  return torch::autograd::grad({(out_TD * upstream_TD).sum()}, inputs);
}

void check_against_reference(const FfnProblem& problem, double tolerance) {
  const torch::Tensor out_TD = run_kernel(problem);
  const torch::Tensor twin_TD = run_reference(problem);
  CHECK(out_TD.scalar_type() == problem.x_TD.scalar_type());
  CHECK(all_close(out_TD, twin_TD, tolerance));
  const auto actual = gradients(out_TD, problem);
  const auto expected = gradients(twin_TD, problem);
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(all_close(actual[i], expected[i], tolerance));
  }
}

}  // namespace

TEST_CASE("experts over a plan give the values and gradients of a loop over its pairs") {
  check_against_reference(usual_problem(torch::kFloat64), 1e-12);
  check_against_reference(usual_problem(torch::kFloat32), 1e-4);
}

TEST_CASE("without weights every pair counts once") {
  FfnProblem problem = usual_problem(torch::kFloat64);
  problem.weight_M = torch::Tensor();
  check_against_reference(problem, 1e-12);
}

TEST_CASE("the gradient of each input is that of finite differences") {
  const FfnProblem problem = usual_problem(torch::kFloat64);
  const torch::Tensor upstream_TD = noise({rows, width}, 9, torch::kFloat64);
  const auto loss = [&](const FfnProblem& p) { return (run_kernel(p) * upstream_TD).sum(); };
  const auto error = [&](torch::Tensor FfnProblem::* member) {
    return gradient_error(
        [&](const torch::Tensor& value) {
          FfnProblem changed = problem;
          changed.*member = value;
          return loss(changed);
        },
        problem.*member);
  };
  CHECK(error(&FfnProblem::x_TD) < 1e-7);
  CHECK(error(&FfnProblem::weight_M) < 1e-7);
}

TEST_CASE("rows without a pair give 0, and experts without one get a gradient of exactly 0") {
  const FfnProblem problem = usual_problem(torch::kFloat32);
  const torch::Tensor out_TD = run_kernel(problem);
  CHECK(out_TD[3].abs().max().item<double>() == 0);
  const auto gradient = gradients(out_TD, problem);
  CHECK(gradient[0][3].abs().max().item<double>() == 0);
  for (std::size_t i = 2; i < gradient.size(); ++i) {
    CHECK(gradient[i][1].abs().max().item<double>() == 0);
    CHECK(gradient[i][0].abs().max().item<double>() > 0);
  }
}

TEST_CASE("memory of gradients that is used again holds the same gradients") {
  const auto stores = c10::make_intrusive<GradientStores>();
  const std::vector<FfnProblem> problems = {make_problem({0, 2, 0, 1, 4, 0, 1}, {0, 2, 2, 5, 7}, torch::kFloat32),
                                            make_problem({3, 1, 0}, {0, 0, 2, 3, 3}, torch::kFloat32),
                                            make_problem({2}, {0, 1, 1, 1, 1}, torch::kFloat32)};
  const void* memory = nullptr;
  for (FfnProblem problem : problems) {
    const auto fresh = gradients(run_kernel(problem), problem);
    problem.weights.gradients = stores;
    const auto again = gradients(run_kernel(problem), problem);
    for (std::size_t i = 0; i < fresh.size(); ++i) CHECK(again[i].equal(fresh[i]));
    CHECK((memory == nullptr || memory == again[2].const_data_ptr()));
    memory = again[2].const_data_ptr();
  }
}

TEST_CASE("memory of a gradient that somebody holds is left alone") {
  FfnProblem problem = usual_problem(torch::kFloat32);
  problem.weights.gradients = c10::make_intrusive<GradientStores>();
  const auto held = gradients(run_kernel(problem), problem);
  const torch::Tensor copy = held[2].clone();
  const auto other = gradients(run_kernel(problem) * 2, problem);
  CHECK(held[2].equal(copy));
  CHECK(other[2].equal(copy * 2));
}

TEST_CASE("without gradients the values are the same, bit for bit") {
  for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kBFloat16}) {
    CAPTURE(type);
    const std::vector<FfnProblem> problems = {
        usual_problem(type), make_problem({4, 2, 0, 1}, {0, 2, 2, 3, 4}, type),  // rows of several pairs, and of one
        make_problem({3, 4, 0, 2, 1}, {0, 2, 2, 3, 5}, type), make_problem({0, 1, 2, 3, 4}, {0, 5}, type)};
    for (FfnProblem problem : problems) {
      for (const bool is_weighted : {true, false}) {
        if (!is_weighted) problem.weight_M = torch::Tensor();
        const torch::Tensor trained_TD = run_kernel(problem).detach();
        const torch::NoGradGuard no_gradient;
        CHECK(run_kernel(problem).equal(trained_TD));
      }
    }
  }
}

TEST_CASE("without gradients an expert takes many rows in blocks, of all threads or of one") {
  for (const std::vector<std::int64_t>& offsets : {std::vector<std::int64_t>{0, 5000}, {0, 19000, 38000, 40000}}) {
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-12}, {torch::kFloat32, 1e-4}}) {
      CAPTURE(offsets, type);
      const std::int64_t count = offsets.back();
      FfnProblem problem = make_problem({}, offsets, type);
      problem.x_TD = noise({count, width}, 0, type);
      problem.token_M = problem.weight_M = torch::Tensor();
      const auto check_both_ways = [&] {
        const torch::Tensor trained_TD = run_kernel(problem).detach();
        const torch::NoGradGuard no_gradient;
        CHECK(all_close(run_kernel(problem), trained_TD, tolerance));
      };
      check_both_ways();
      problem.token_M = noise({count}, 6, torch::kFloat64).argsort();
      check_both_ways();
      problem.weight_M = uniform_noise({count}, 7, type);
      check_both_ways();
      problem.token_M = random_indices({count}, 8, count);
      check_both_ways();
    }
  }
}

TEST_CASE("a plan without pairs gives 0 and gradients of 0") {
  const FfnProblem problem = make_problem({}, {0, 0, 0}, torch::kFloat32);
  const torch::Tensor out_TD = run_kernel(problem);
  CHECK(out_TD.sizes() == torch::IntArrayRef({rows, width}));
  CHECK(out_TD.abs().max().item<double>() == 0);
  for (const torch::Tensor& gradient : gradients(out_TD, problem)) {
    CHECK(gradient.abs().sum().item<double>() == 0);
  }
}

TEST_CASE("bfloat16 experts take float32 weights of pairs and give their gradient back in float32") {
  FfnProblem problem = usual_problem(torch::kBFloat16);
  problem.weight_M = problem.weight_M.detach().to(torch::kFloat32).requires_grad_(true);
  const FfnProblem precise = usual_problem(torch::kFloat64);
  const torch::Tensor out_TD = run_kernel(problem);
  CHECK(out_TD.scalar_type() == torch::kBFloat16);
  // 8 bits on sums whose size is up to 75.
  CHECK(all_close(out_TD, run_kernel(precise), 1.0));
  const auto gradient = gradients(out_TD, problem);
  CHECK(gradient[1].scalar_type() == torch::kFloat32);
  CHECK(gradient[2].scalar_type() == torch::kBFloat16);
}

}  // namespace moe
