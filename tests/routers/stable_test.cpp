#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <cmath>

namespace moe {
namespace {

std::shared_ptr<Router> stable(std::int64_t stage_updates) {
  RouterContext context;
  context.token_counts.assign(10, 1);
  return build_on_logits("stable", 3, {{"stage_updates", stage_updates}, {"distilled_width", 4}}, context);
}

void train_words(Router& router, std::int64_t updates) {
  for (std::int64_t update = 0; update < updates; ++update) {
    router.zero_grad();
    router.route(fixture_logits(), one_sentence(6)).losses.own.backward();
    const torch::NoGradGuard no_gradient;
    for (const char* name : {"distilled_embedding", "distilled_weight"}) {
      torch::Tensor parameter = router.named_parameters()[name];
      parameter -= 0.5 * parameter.grad();
    }
  }
}

}  // namespace

TEST_CASE("stage 1 takes the best expert with weight sigmoid(s)") {
  const RoutingPlan plan = stable(5)->route(fixture_logits(), one_sentence(6));
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 0, 1, 0, 2, 0}, torch::kInt64)));
  // Pairs by expert: tokens 0, 1, 3, 5, then 2, then 4, whose best logits are 2, 2.2, 3, 2, 2 and 2.
  CHECK(all_close(plan.assignment.weight_M, torch::tensor({.880797, .900250, .952574, .880797, .880797, .880797})));
}

TEST_CASE("the balance loss weighs each expert's sigmoids by its load over the even one") {
  // Loads 4, 1, 1 of even 2: (4 - 2) / 2 = 1 times the sum of expert 0's sigmoids, -1/2 of the others', over 6 tokens.
  const double expected = (.880797 + .900250 + .952574 + .880797 - .5 * .880797 - .5 * .880797) / 6;
  const RoutingPlan plan = stable(5)->route(fixture_logits(), one_sentence(6));
  CHECK(plan.losses.balance.item<double>() == Approx(expected).margin(1e-5));
}

TEST_CASE("the words learn the choices, and after the first stage they decide for good") {
  const auto router = stable(1);
  const RoutingPlan first = router->route(fixture_logits(), one_sentence(6));
  CHECK(first.losses.own.item<double>() == Approx(std::log(3.0)).margin(0.1));  // not yet anything learned
  train_words(*router, 60);
  CHECK(router->route(fixture_logits(), one_sentence(6)).losses.own.item<double>() < 0.1);

  router->after_step({4, 1, 1});
  // Other states, the same words: the same experts, now weighted by these states.
  const RoutingPlan fixed = router->route(torch::zeros({6, 3}), one_sentence(6));
  CHECK(fixed.statistics.choice_T.equal(first.statistics.choice_T));
  CHECK(all_close(fixed.assignment.weight_M, torch::full({6}, .5)));
  CHECK_FALSE(fixed.losses.own.defined());
  CHECK_FALSE(fixed.losses.balance.defined());
}

TEST_CASE("the distillation brings no gradient to the gate, and the fixed routing none to the words") {
  const auto router = stable(1);
  router->route(fixture_logits(), one_sentence(6)).losses.own.backward();
  CHECK_FALSE(router->named_parameters()["weight"].grad().defined());
  router->zero_grad();
  router->after_step({4, 1, 1});
  router->route(fixture_logits(), one_sentence(6)).assignment.weight_M.sum().backward();
  CHECK(router->named_parameters()["weight"].grad().abs().max().item<double>() > 0);
  const torch::Tensor words = router->named_parameters()["distilled_embedding"].grad();
  CHECK((!words.defined() || words.abs().max().item<double>() == 0));
}

}  // namespace moe
