#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

/// Four experts in two strata, {0, 1} and {2, 3}; states are the logits of both gates.
std::shared_ptr<Router> two_strata(Json options = Json::object()) {
  options["experts"] = 4;
  const auto router = build("smoe", options, {.width = 4});
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["0.weight"].copy_(torch::eye(4));
  router->named_parameters()["1.weight"].copy_(torch::eye(4));
  return router;
}

/// Logits whose best expert is `expert` and second best `second`.
torch::Tensor preferring(const std::vector<std::pair<std::int64_t, std::int64_t>>& choices) {
  torch::Tensor logit_TE = torch::zeros({static_cast<std::int64_t>(choices.size()), 4});
  for (std::size_t t = 0; t < choices.size(); ++t) {
    logit_TE[static_cast<std::int64_t>(t)][choices[t].first] = 3;
    logit_TE[static_cast<std::int64_t>(t)][choices[t].second] = 2;
  }
  return logit_TE;
}

}  // namespace

TEST_CASE("a token that chooses the last stratum leaves; one that chooses the first sees the second gate") {
  const auto router = two_strata({{"k", 1}});
  const Tokens tokens = one_sentence(3);
  const torch::Tensor x_TD = preferring({{3, 0}, {1, 2}, {0, 3}});
  const RoutingPlan first = router->route(x_TD, tokens);
  CHECK(first.statistics.choice_T.equal(torch::tensor({3, 1, 0}, torch::kInt64)));
  CHECK(first.round_state_T.equal(torch::tensor({2, 1, 1}, torch::kInt64)));

  const auto second = router->next_round(x_TD, torch::zeros_like(x_TD), tokens, first);
  REQUIRE(second.has_value());
  // The second gate sees experts 2 and 3 alone: token 1 goes to 2 and token 2 to 3, token 0 nowhere.
  CHECK(second->statistics.choice_T.equal(torch::tensor({-1, 2, 3}, torch::kInt64)));
  CHECK(second->assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 0, 0, 1, 2});
  CHECK(second->round_state_T.equal(torch::tensor({2, 2, 2}, torch::kInt64)));
  CHECK_FALSE(router->next_round(x_TD, torch::zeros_like(x_TD), tokens, *second).has_value());

  const RoutingPlan joined = join_rounds(first, *second);
  CHECK(joined.rounds == 2);
  CHECK(joined.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 1, 2, 3, 5});
  CHECK(joined.assignment.token_M.equal(torch::tensor({2, 1, 1, 0, 2}, torch::kInt64)));
  CHECK(joined.losses.balance.item<double>() ==
        Approx((first.losses.balance + second->losses.balance).item<double>() / 2));
}

TEST_CASE("with ntlb the expert that takes a token instead of its best does not decide where it goes next") {
  const auto router = two_strata({{"k", 1}, {"capacity", 1}, {"fill", "ntlb"}});
  const RoutingPlan plan = router->route(preferring({{0, 2}, {0, 3}}), one_sentence(2));
  CHECK(plan.assignment.load(3) == 1);
  CHECK(plan.round_state_T.equal(torch::tensor({1, 1}, torch::kInt64)));
}

TEST_CASE("the gates of a layer draw their noise independently") {
  const auto router = build("smoe", {{"experts", 4}, {"k", 1}, {"noise", 1.0}}, {.width = 4});
  const Tokens tokens = one_sentence(2000);
  const torch::Tensor x_TD = torch::zeros({2000, 4});
  const RoutingPlan first = router->route(x_TD, tokens);
  const auto second = router->next_round(x_TD, torch::zeros_like(x_TD), tokens, first);
  REQUIRE(second.has_value());
  for (const std::int64_t one : {0, 1}) {
    for (const std::int64_t two : {2, 3}) {
      const torch::Tensor both_T = (first.statistics.choice_T == one).logical_and(second->statistics.choice_T == two);
      CHECK(both_T.sum().item<std::int64_t>() == Approx(250).margin(75));  // five standard deviations
    }
  }
}

TEST_CASE("the second best expert never decides where a token goes next, and neither does a drop") {
  const auto router = two_strata({{"k", 2}, {"capacity", 1}});
  const RoutingPlan plan = router->route(preferring({{1, 2}, {1, 3}, {3, 0}}), one_sentence(3));
  CHECK(plan.statistics.dropped_T[1].item<std::int64_t>() == 2);  // expert 1 took token 0, and expert 3 token 2
  CHECK(plan.round_state_T.equal(torch::tensor({1, 1, 2}, torch::kInt64)));
}

TEST_CASE("slots follow the tokens and experts of a pass: 6 tokens over 4 experts, then 3 over 2") {
  const auto router = two_strata({{"k", 2}, {"capacity_factor", 1.0}});
  const torch::Tensor x_TD = preferring({{2, 3}, {2, 3}, {3, 2}, {0, 1}, {0, 1}, {0, 1}});
  const RoutingPlan first = router->route(x_TD, one_sentence(6));
  // Three slots each (2 * 6 / 4): expert 2 was wanted by 3, expert 3 by 3.
  CHECK(first.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 3, 6, 9, 12});
  const auto second = router->next_round(x_TD, torch::zeros_like(x_TD), one_sentence(6), first);
  REQUIRE(second.has_value());
  CHECK(second->assignment.expert_offsets.host() ==
        std::vector<std::int64_t>{0, 0, 0, 3, 6});  // 2 * 3 / 2 slots for all three
}

TEST_CASE("one stratum is gshard") {
  const torch::Tensor x_TD = preferring({{3, 0}, {1, 2}, {0, 3}, {2, 1}});
  const auto smoe = build("smoe", {{"experts", 4}, {"strata", 1}}, {.width = 4});
  const auto gshard = build("gshard", {{"experts", 4}}, {.width = 4});
  const torch::NoGradGuard no_gradient;
  smoe->named_parameters()["0.weight"].copy_(gshard->named_parameters()["weight"]);
  const RoutingPlan plan = smoe->route(x_TD, one_sentence(4)), expected = gshard->route(x_TD, one_sentence(4));
  CHECK(plan.assignment.token_M.equal(expected.assignment.token_M));
  CHECK(plan.assignment.expert_offsets.host() == expected.assignment.expert_offsets.host());
  CHECK(plan.assignment.weight_M.equal(expected.assignment.weight_M));
  CHECK(plan.losses.balance.equal(expected.losses.balance));
  CHECK_FALSE(smoe->next_round(x_TD, torch::zeros_like(x_TD), one_sentence(4), plan).has_value());
}

TEST_CASE("after the first pass, gate and experts see the states through a norm") {
  const auto router = two_strata({{"k", 1}});
  const Tokens tokens = one_sentence(1);
  const torch::Tensor x_TD = preferring({{0, 1}});
  const torch::Tensor y_TD = torch::tensor({{1.0F, 0.0F, 0.0F, 1.0F}});
  const RoutingPlan first = router->route(x_TD, tokens);
  const auto second = router->next_round(x_TD, y_TD, tokens, first);
  REQUIRE(second.has_value());
  // The state is [4, 2, 0, 1]: mean 1.75, variance 2.1875.
  CHECK(all_close(second->io.input_TD, (torch::tensor({{4.0, 2.0, 0.0, 1.0}}) - 1.75) / std::sqrt(2.1875), 1e-4));
  CHECK(second->statistics.choice_T[0].item<std::int64_t>() == 3);
}

TEST_CASE("strata may have any sizes that add up") {
  CHECK(build("smoe", {{"experts", 5}, {"strata", {1, 2, 2}}}, {.width = 4})->layout().active == 4);
  const std::string sentence = "expected a number that divides the 5 experts, or sizes that add up to it.";
  CHECK_THROWS_WITH(build("smoe", {{"experts", 5}, {"strata", {1, 2}}}),
                    "test: strategy.strata: found [1,2]; " + sentence);
  CHECK_THROWS_WITH(build("smoe", {{"experts", 5}}), "test: strategy.strata: found 2; " + sentence);
  CHECK_THROWS_WITH(build("smoe", {{"experts", 4}, {"strata", {3, 1}}}),
                    "test: strategy.strata: the last stratum has 1 experts, too few for 2 choices.");
}

TEST_CASE("with normed states, the tokens of the next pass are normed before it, and all on the way out") {
  const auto router = two_strata({{"k", 1}, {"norm", "states"}});
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["norm.1.bias"].fill_(1);
  const Tokens tokens = one_sentence(2);
  const torch::Tensor x_TD = preferring({{3, 0}, {1, 2}}), y_TD = preferring({{0, 1}, {2, 3}});
  const torch::Tensor unit_TD = torch::layer_norm(x_TD + y_TD, {4});
  const RoutingPlan first = router->route(x_TD, tokens);  // token 0 leaves, token 1 stays
  const torch::Tensor between_TD = router->after_round(x_TD, y_TD, tokens, first);
  CHECK(between_TD[0].equal(y_TD[0]));
  CHECK(all_close(x_TD[1] + between_TD[1], unit_TD[1]));
  const auto second = router->next_round(x_TD, between_TD, tokens, first);
  REQUIRE(second.has_value());
  CHECK(all_close(second->io.input_TD[1], unit_TD[1]));  // no norm beside that of the state
  CHECK(all_close(x_TD + router->after_round(x_TD, y_TD, tokens, *second), unit_TD + 1));
  CHECK_FALSE(router->contract().dropout);
}

}  // namespace moe
