#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <torch/utils.h>

namespace moe {
namespace {

const RouterContext two_tasks{.width = 3, .directions = 2};

/// The gate is the identity and the embedding of a task its logits.
std::shared_ptr<Router> build_learned(const Json& options = {{"experts", 3}}) {
  const torch::NoGradGuard no_gradient;
  auto router = build("task_learned", options, two_tasks);
  router->named_parameters()["weight"].copy_(torch::eye(3));
  router->named_parameters()["task_embedding"].copy_(torch::tensor({{2., 1., 0.}, {0., 1., 2.}}));
  return router;
}

Tokens two_directions() {
  Tokens tokens = make_tokens({{0, {5, 6, 7}}, {1, {7}}});
  tokens.direction_T = torch::tensor({0, 0, 0, 1, 1, 1}, torch::kInt64);
  return tokens;
}

}  // namespace

TEST_CASE("all tokens of a direction choose the expert of its embedding, whatever their states") {
  const RoutingPlan plan = build_learned()->route(noise({6, 3}, 0), two_directions());
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 0, 0, 2, -1, -1}, torch::kInt64)));
  CHECK(all_close(plan.assignment.weight_M, torch::full({4}, .665241)));
}

TEST_CASE("all tokens of a sentence choose alike with noise too, and sentences by themselves") {
  const auto router = build_learned({{"experts", 3}, {"noise", 9.0}});
  std::vector<TestSentence> sentences;
  for (std::int64_t index = 0; index < 20; ++index) sentences.push_back({index, {1, 2, 3, 4}});
  const torch::Tensor choice_ST =
      router->route(noise({80, 3}, 0), make_tokens(sentences)).statistics.choice_T.view({20, 4});
  CHECK(choice_ST.equal(choice_ST.narrow(1, 0, 1).expand({20, 4})));
  CHECK_FALSE(choice_ST.select(1, 0).equal(choice_ST[0][0].expand({20})));
}

TEST_CASE("the balance loss of learned tasks weighs a task by its tokens") {
  const RoutingPlan plan = build_learned()->route(noise({6, 3}, 0), two_directions());
  // f = (3/4, 0, 1/4); P = 3/4 (.665241, .244728, .090031) + 1/4 (.090031, .244728, .665241)
  const double expected = 3 * (.75 * (.75 * .665241 + .25 * .090031) + .25 * (.75 * .090031 + .25 * .665241));
  CHECK(plan.losses.balance.item<double>() == Approx(expected).margin(1e-5));
}

TEST_CASE("the cross entropy reaches the embedding of the tasks in use and no other") {
  const auto router = build_learned();
  Tokens tokens = two_directions();
  tokens.direction_T.fill_(1);
  router->route(noise({6, 3}, 0), tokens).assignment.weight_M.sum().backward();
  const torch::Tensor gradient = router->named_parameters()["task_embedding"].grad();
  CHECK(gradient[0].abs().max().item<double>() == 0);
  CHECK(gradient[1].abs().max().item<double>() > 0.1);
}

}  // namespace moe
