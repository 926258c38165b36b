#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <torch/utils.h>

namespace moe {
namespace {

Tokens three_of_each() {
  Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {7, 8, 9}}});
  tokens.direction_T = torch::tensor({0, 0, 0, 1, 1, 1}, torch::kInt64);
  return tokens;
}

/// The gate of task 0 is the identity, that of task 1 the identity backwards.
std::shared_ptr<Router> build_aware(const Json& options = {{"experts", 3}}) {
  const torch::NoGradGuard no_gradient;
  auto router = build("task_aware_token", options, {.width = 3, .directions = 2});
  router->named_parameters()["weight"].copy_(torch::stack({torch::eye(3), torch::eye(3).flip(0)}));
  return router;
}

}  // namespace

TEST_CASE("each task has a gate of its own") {
  const RoutingPlan plan = build_aware()->route(fixture_logits(), three_of_each());
  // Fixture A: first choices 0, 0, 1 by task 0; those of the last three tokens, 0, 2, 0, backwards.
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 0, 1, 2, 0, 2}, torch::kInt64)));
  CHECK(all_close(weight_table(plan, 6)[3], torch::tensor({0., 0., .909443})));
  CHECK(all_close(plan.statistics.logit_TE[3], torch::tensor({0., 0., 3.})));
}

TEST_CASE("a gate learns from its own task only, and jitter moves the weights and not the figures") {
  const auto router = build_aware({{"experts", 3}, {"jitter", 0.1}});
  Tokens tokens = three_of_each();
  tokens.direction_T.fill_(0);
  const RoutingPlan plan = router->route(fixture_logits(), tokens);
  CHECK(all_close(plan.statistics.logit_TE, fixture_logits(), 1e-6));
  CHECK_FALSE(
      all_close(plan.assignment.weight_M, torch::tensor({.665241, .708217, .909443, .574097, .665241, .665241}), 1e-6));
  plan.assignment.weight_M.sum().backward();
  const torch::Tensor gradient = router->named_parameters()["weight"].grad();
  CHECK(gradient[0].abs().max().item<double>() > 0.1);
  CHECK(gradient[1].abs().max().item<double>() == 0);
}

TEST_CASE("the gradient of task-aware weights agrees with central differences in float64") {
  const auto router = build_aware();
  const auto output = [&](const torch::Tensor& x_TD) {
    return (combine(router->route(x_TD, three_of_each()), 6) * torch::arange(1, 7)).sum();
  };
  CHECK(gradient_error(output, fixture_logits(torch::kFloat64)) < 1e-7);
}

}  // namespace moe
