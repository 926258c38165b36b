#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <torch/utils.h>

#include <cmath>

namespace moe {
namespace {

/// Two-dimensional states seen as they are; three experts at 0, 90 and 180 degrees, of different lengths.
std::shared_ptr<Router> build_cosine(const Json& options = {{"experts", 3}, {"projection", 2}}) {
  const torch::NoGradGuard no_gradient;
  auto router = build("cosine", options, {.width = 2});
  router->named_parameters()["projection"].copy_(torch::eye(2));
  router->named_parameters()["weight"].copy_(torch::tensor({{3., 0.}, {0., .5}, {-9., 0.}}));
  return router;
}

torch::Tensor states(torch::Dtype dtype = torch::kFloat32) {
  return torch::tensor({{1.0, 1.0}, {-3.0, 4.0}, {0.0, 0.1}}, dtype);
}

}  // namespace

TEST_CASE("a logit is the cosine times the scale, which starts at 2") {
  const RoutingPlan plan = build_cosine()->route(states(), one_sentence(3));
  const double half = std::sqrt(.5);
  CHECK(all_close(plan.statistics.logit_TE, 2 * torch::tensor({{half, half, -half}, {-.6, .8, .6}, {0., 1., 0.}})));
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 1, 1}, torch::kInt64)));  // a tie goes to the lower expert
  CHECK(all_close(plan.assignment.weight_M[0], plan.statistics.logit_TE.softmax(1)[0][0]));
}

TEST_CASE("the length of a state does not matter, and the scale stays below 100") {
  const auto router = build_cosine();
  const torch::Tensor logit_TE = router->route(states(), one_sentence(3)).statistics.logit_TE;
  CHECK(all_close(router->route(1000 * states(), one_sentence(3)).statistics.logit_TE, logit_TE));
  {
    const torch::NoGradGuard no_gradient;
    router->named_parameters()["log_scale"].fill_(50);
  }
  CHECK(all_close(router->route(states(), one_sentence(3)).statistics.logit_TE, 50 * logit_TE, 1e-3));
}

TEST_CASE("the gradient of cosine's weights agrees with central differences in float64") {
  const auto router = build_cosine();
  const auto output = [&](const torch::Tensor& x_TD) {
    return (combine(router->route(x_TD, one_sentence(3)), 3) * torch::arange(1, 4)).sum();
  };
  const torch::Tensor no_tie = torch::tensor({{1., 0.}, {0., 0.}, {0., 0.}}, torch::kFloat64);
  CHECK(gradient_error(output, states(torch::kFloat64) + no_tie) < 1e-6);
}

}  // namespace moe
