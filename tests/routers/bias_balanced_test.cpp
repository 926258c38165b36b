#include "core/error.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

/// Logits whose sigmoids are the scores of four tokens for three experts.
torch::Tensor score_logits(torch::Dtype dtype = torch::kFloat32) {
  return torch::tensor({{.9, .8, .1}, {.8, .7, .2}, {.7, .6, .3}, {.9, .2, .6}}, dtype).logit();
}

std::shared_ptr<Router> build_balanced(Json options = Json::object()) {
  if (!options.contains("k")) options["k"] = 1;
  return build_on_logits("bias_balanced", 3, options);
}

torch::Tensor bias_of(const Router& router) {
  return router.named_buffers()["bias"];
}

}  // namespace

TEST_CASE("the bias moves towards the mean load, by its rate, centred or not") {
  for (const bool centre : {false, true}) {
    const auto router = build_balanced({{"centre", centre}});
    const RoutingPlan plan = router->route(score_logits(), one_sentence(4));
    CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 4, 4, 4});
    router->after_step({4, 0, 0});
    CHECK(all_close(bias_of(*router),
                    centre ? torch::tensor({-.001333, .000667, .000667}) : torch::tensor({-.001, .001, .001}), 1e-6));
    router->after_step({2, 2, 2});
    CHECK(bias_of(*router)[0].item<double>() < -.0009);  // a balanced step moves nothing
    CHECK(all_close(bias_of(*router).max() - bias_of(*router).min(), torch::tensor(.002), 1e-6));
  }
}

TEST_CASE("the bias counts in the choice and not in the weights") {
  const auto router = build_balanced();
  bias_of(*router).copy_(torch::tensor({-.15, .05, .1}));
  const RoutingPlan plan = router->route(score_logits(), one_sentence(4));
  CHECK(plan.statistics.choice_T.equal(torch::tensor({1, 1, 1, 0}, torch::kInt64)));
  const torch::Tensor weight_TE = weight_table(plan, 4);
  CHECK(all_close(weight_TE.sum(1), torch::tensor({.8, .7, .6, .9})));

  bias_of(*router).add_(5);
  CHECK(router->route(score_logits(), one_sentence(4)).statistics.choice_T.equal(plan.statistics.choice_T));
}

TEST_CASE("two weights are divided by their sum and scaled, one never is") {
  const auto two = build_balanced({{"k", 2}, {"route_scale", 2.5}});
  const torch::Tensor weight_TE = weight_table(two->route(score_logits(), one_sentence(4)), 4);
  CHECK(all_close(weight_TE[0], torch::tensor({2.5 * .9 / 1.7, 2.5 * .8 / 1.7, 0.})));
  CHECK(all_close(weight_TE[3], torch::tensor({2.5 * .9 / 1.5, 0., 2.5 * .6 / 1.5})));

  const auto one = build_balanced({{"k", 1}});
  (one->route(score_logits(), one_sentence(4)).assignment.weight_M * torch::arange(4)).sum().backward();
  CHECK(one->named_parameters()["weight"].grad().abs().max().item<double>() > 0.01);
  CHECK_FALSE(bias_of(*one).requires_grad());
}

TEST_CASE("with softmax the scores are probabilities") {
  const auto router = build_on_logits("bias_balanced", 3, {{"score", "softmax"}, {"k", 1}});
  const RoutingPlan plan = router->route(fixture_logits(), one_sentence(6));
  CHECK(all_close(plan.assignment.weight_M, torch::tensor({.665241, .708217, .909443, .574097, .665241, .665241})));
}

TEST_CASE("the bias drifts no faster than its rate allows, and evaluation leaves it alone") {
  const auto router = build_balanced({{"bias_rate", .01}});
  for (int step = 0; step < 50; ++step) router->after_step({5, 1, 0});
  CHECK(bias_of(*router).abs().max().item<double>() <= 2 * .01 * 50);
  const torch::Tensor before = bias_of(*router).clone();
  Tokens tokens = one_sentence(4);
  tokens.call.phase = Phase::evaluate;
  router->route(score_logits(), tokens);
  CHECK(bias_of(*router).equal(before));
}

TEST_CASE("the gradient of normalised sigmoid weights agrees with central differences in float64") {
  const auto router = build_balanced({{"k", 2}});
  const auto output = [&](const torch::Tensor& x_TD) {
    return (combine(router->route(x_TD, one_sentence(4)), 4) * torch::arange(1, 5)).sum();
  };
  CHECK(gradient_error(output, score_logits(torch::kFloat64)) < 1e-7);
}

TEST_CASE("with two of three groups of experts, a token's experts come from those with the best pairs") {
  // Scores are sigmoids, rising in the logits: groups {4, 0}, {3, 3}, {2, 1} by their pairs' sums.
  const auto router = build_on_logits("bias_balanced", 6, {{"expert_groups", 3}, {"groups_per_token", 1}});
  const torch::Tensor x_TD = torch::tensor({{4., -4., 3., 3., 2., 1.}}, torch::kFloat32);
  const RoutingPlan plan = router->route(x_TD, one_sentence(1));
  CHECK(plan.assignment.load(2) == 1);
  CHECK(plan.assignment.load(3) == 1);
  // Nor does the next best expert stand in a closed group: the third token is dropped.
  const auto one_choice = build_on_logits(
      "bias_balanced", 4, {{"expert_groups", 2}, {"groups_per_token", 1}, {"k", 1}, {"capacity", 1}, {"fill", "ntlb"}});
  const torch::Tensor first_group_TD = torch::tensor({4.F, 3.F, 2.F, 1.F}).repeat({3, 1});
  const RoutingPlan filled = one_choice->route(first_group_TD, one_sentence(3));
  CHECK(filled.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 1, 2, 2, 2});
  CHECK(filled.statistics.dropped_T.sum().item<std::int64_t>() == 1);
  ConfigErrors errors;
  find_router("bias_balanced").resolve({{"experts", 6}, {"expert_groups", 4}, {"k", 1}}, "strategy", errors);
  find_router("bias_balanced").resolve({{"experts", 6}, {"expert_groups", 6}}, "strategy", errors);
  REQUIRE(errors.sentences().size() == 2);
  CHECK(errors.sentences()[0] == "strategy.expert_groups: 4 does not divide the 6 experts.");
  CHECK(errors.sentences()[1] == "strategy.groups_per_token: 1 of 6 groups do not hold 2 experts.");
}

}  // namespace moe
