#include "training/gradient_sum.h"

#include "tests/support/catch.h"

#include <torch/types.h>

#include <cmath>

namespace moe {
namespace {

torch::Tensor scalar(double value) {
  return torch::full({1}, value, torch::kFloat32);
}

/// The sum of these gradients of one parameter.
double sum_of(const std::vector<double>& gradients) {
  torch::Tensor parameter = scalar(0).requires_grad_(true);
  GradientSum sum({parameter});
  for (const double gradient : gradients) {
    parameter.mutable_grad() = scalar(gradient);
    sum.take();
    CHECK_FALSE(parameter.grad().defined());
  }
  sum.finish();
  return parameter.grad().item<double>();
}

}  // namespace

TEST_CASE("gradients are added as a binary tree whose shape depends on their number alone") {
  // In float32 1 + e is 1 (a tie goes to the even neighbour), but 1 + 2 e is not: a sum tells who was added to whom.
  const double e = std::ldexp(1.0, -24);
  const double above = 1 + 2 * e;
  CHECK(sum_of({1}) == 1);
  CHECK(sum_of({1, e}) == 1);
  CHECK(sum_of({1, e, e}) == 1);                     // (g0 + g1) + g2
  CHECK(sum_of({1, 0, e, e}) == above);              // (g0 + g1) + (g2 + g3)
  CHECK(sum_of({1, 0, 0, e, e}) == 1);               // ((g0 + g1) + (g2 + g3)) + g4
  CHECK(sum_of({1, 0, 0, 0, e, e}) == above);        // ... + (g4 + g5)
  CHECK(sum_of({1, 0, 0, 0, 0, e, e}) == above);     // ... + ((g4 + g5) + g6)
  CHECK(sum_of({1, 0, 0, 0, 0, e, 0, e}) == above);  // ... + ((g4 + g5) + (g6 + g7))
}

TEST_CASE("a parameter without a gradient in some micro-batches keeps those it had") {
  torch::Tensor always = scalar(0).requires_grad_(true);
  torch::Tensor sometimes = scalar(0).requires_grad_(true);
  torch::Tensor never = scalar(0).requires_grad_(true);
  GradientSum sum({always, sometimes, never});
  for (int i = 0; i < 3; ++i) {
    always.mutable_grad() = scalar(1);
    if (i == 1) sometimes.mutable_grad() = scalar(5);
    sum.take();
  }
  sum.finish();
  CHECK(always.grad().item<double>() == 3);
  CHECK(sometimes.grad().item<double>() == 5);
  CHECK_FALSE(never.grad().defined());
}

TEST_CASE("a finished sum starts anew") {
  torch::Tensor parameter = scalar(0).requires_grad_(true);
  GradientSum sum({parameter});
  for (int update = 1; update <= 2; ++update) {
    parameter.mutable_grad() = scalar(update);
    sum.take();
    sum.finish();
    CHECK(parameter.grad().item<double>() == update);
    parameter.mutable_grad().reset();
  }
  sum.finish();
  CHECK_FALSE(parameter.grad().defined());
}

}  // namespace moe
