#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

RoutingPlan route_to_best(const std::string& router, const Json& options) {
  return build_on_logits(router, 3, options)->route(fixture_logits(), one_sentence(6));
}

void check_equal(const RoutingPlan& plan, const RoutingPlan& expected) {
  CHECK(plan.assignment.token_M.equal(expected.assignment.token_M));
  CHECK(plan.assignment.expert_offsets.host() == expected.assignment.expert_offsets.host());
  CHECK(all_close(plan.assignment.weight_M, expected.assignment.weight_M, 1e-7));
  CHECK(plan.statistics.dropped_T.equal(expected.statistics.dropped_T));
  CHECK(all_close(plan.losses.balance, expected.losses.balance, 1e-6));
  CHECK(all_close(plan.losses.z, expected.losses.z, 1e-6));
}

}  // namespace

TEST_CASE("top_k takes the k best experts with their probabilities as they are") {
  const RoutingPlan plan = route_to_best("top_k", {{"k", 2}});
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 5, 10, 12});
  const torch::Tensor table_TE = weight_table(plan, 6);
  CHECK(all_close(table_TE[0], torch::tensor({.665241, .244728, 0.})));
  CHECK(all_close(table_TE[3], torch::tensor({.909443, .045279, 0.})));  // an exact tie goes to the lower expert
  CHECK(plan.losses.balance.item<double>() == Approx(1.102302).margin(1e-5));
}

TEST_CASE("top_k with one choice is switch, and with two normalised after dropping it is gshard") {
  check_equal(route_to_best("top_k", {{"k", 1}}), route_to_best("switch", Json::object()));
  check_equal(route_to_best("top_k", {{"k", 1}, {"capacity", 2}}), route_to_best("switch", {{"capacity", 2}}));
  for (const std::string normalise : {"before", "after"}) {
    check_equal(route_to_best("top_k", {{"k", 2}, {"normalise", normalise}, {"capacity", 3}}),
                route_to_best("gshard", {{"normalise", normalise}, {"capacity", 3}}));
  }
}

TEST_CASE("all experts of every token give weights that sum to 1") {
  const RoutingPlan plan = route_to_best("top_k", {{"k", 3}});
  CHECK(plan.assignment.count() == 18);
  CHECK(all_close(weight_table(plan, 6).sum(1), torch::ones({6}), 1e-6));
}

TEST_CASE("a single weight divided by itself is 1 and leaves the gate without a gradient") {
  const auto router = build_on_logits("top_k", 3, {{"k", 1}, {"normalise", "before"}});
  const RoutingPlan plan = router->route(fixture_logits(), one_sentence(6));
  CHECK(all_close(plan.assignment.weight_M, torch::ones({6}), 1e-7));
  (plan.assignment.weight_M * torch::arange(6)).sum().backward();
  CHECK(router->named_parameters()["weight"].grad().abs().max().item<double>() < 1e-6);
}

TEST_CASE("more choices than experts are refused, and so is ntlb for more than one choice") {
  CHECK_THROWS_WITH(build("top_k", {{"experts", 2}, {"k", 3}}), "test: strategy.k: found 3, but there are 2 experts.");
  CHECK_THROWS_WITH(build("top_k", {{"fill", "ntlb"}}),
                    "test: strategy.fill: \"ntlb\" is for routers of one choice a token.");
}

TEST_CASE("weights of one choice may be divided by their sum over the call, which padding is no part of") {
  Tokens tokens = one_sentence(6);
  make_padding(tokens, 5);
  const auto router = build_on_logits("top_k", 3, {{"k", 1}, {"normalise", "batch"}});
  const RoutingPlan plan = router->route(fixture_logits(), tokens);
  const double sum = .665241 + .708217 + .665241 + .909443 + .665241;
  CHECK(plan.assignment.weight_M.sum().item<double>() == Approx(1));
  CHECK(weight_table(plan, 6)[0][0].item<double>() == Approx(.665241 / sum).margin(1e-5));
  CHECK_THROWS_WITH(build("top_k", {{"k", 2}, {"normalise", "batch"}}),
                    "test: strategy.normalise: \"batch\" is for routers of one choice a token.");
}

}  // namespace moe
