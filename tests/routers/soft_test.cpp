#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <cmath>

namespace moe {
namespace {

/// A router whose logits are known: slots are unit vectors, and tokens too, so that logits are scaled cosines.
std::shared_ptr<Router> router_with(const Json& options, const torch::Tensor& slot_EPD, double scale) {
  const auto router = build("soft", options, {.width = slot_EPD.size(2)});
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["slots"].copy_(slot_EPD);
  router->named_parameters()["scale"].fill_(scale);
  return router;
}

}  // namespace

// Logits [[1, 0], [0, 2]] need a scale that depends on the token, so the numbers of the softmaxes are worked out for
// the scaled cosines [[2, 0], [0, 2]]: exp(2) / (exp(2) + 1) = .880797.
TEST_CASE("dispatch sums to 1 over the tokens of a slot, combine over the slots of a token") {
  const auto router = router_with({{"experts", 2}, {"slots", 1}}, torch::eye(2).view({2, 1, 2}), 2);
  const RoutingPlan plan = router->route(5 * torch::eye(2), one_sentence(2));
  const torch::Tensor expected = torch::tensor({{.880797, .119203}, {.119203, .880797}});
  CHECK(all_close(plan.mixing.dispatch_GQL[0], expected));
  CHECK(all_close(plan.mixing.combine_GLQ[0], expected));
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 1, 2});
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 1}, torch::kInt64)));
}

TEST_CASE("the length of a token's state changes nothing") {
  const auto router = build("soft", {{"experts", 3}, {"slots", 2}}, {.width = 4});
  const torch::Tensor x_TD = torch::sin(torch::arange(20).to(torch::kFloat32)).view({5, 4});
  const RoutingPlan plan = router->route(x_TD, one_sentence(5));
  const RoutingPlan scaled = router->route(100 * x_TD, one_sentence(5));
  CHECK(all_close(plan.mixing.dispatch_GQL, scaled.mixing.dispatch_GQL, 1e-4));
  CHECK(all_close(plan.mixing.combine_GLQ.sum(2), torch::ones({1, 5}), 1e-6));
  CHECK(all_close(plan.mixing.dispatch_GQL.sum(2), torch::ones({1, 6}), 1e-6));
}

TEST_CASE("padding goes into no slot and gets nothing out") {
  const auto router = build("soft", {{"experts", 2}, {"slots", 2}}, {.width = 4});
  Tokens tokens = one_sentence(5);
  make_padding(tokens, 2);
  const torch::Tensor x_TD = torch::cos(torch::arange(20).to(torch::kFloat32)).view({5, 4});
  const RoutingPlan plan = router->route(x_TD, tokens);
  CHECK(plan.mixing.dispatch_GQL.select(2, 2).abs().max().item<double>() == 0);
  CHECK(plan.mixing.combine_GLQ.select(1, 2).abs().max().item<double>() == 0);
  CHECK(all_close(plan.mixing.dispatch_GQL.sum(2), torch::ones({1, 4}), 1e-6));
}

TEST_CASE("by sentence, each has slots of its own, and a sentence alone is as in a batch") {
  const Json options = {{"experts", 2}, {"slots", 2}, {"group", "sentence"}};
  const auto router = build("soft", options, {.width = 4});
  const Tokens batch = make_tokens({{0, {1, 2, 3}}, {1, {4, 5}}});
  const torch::Tensor x_TD = torch::cos(torch::arange(24).to(torch::kFloat32)).view({6, 4});
  const RoutingPlan plan = router->route(x_TD, batch);
  CHECK(plan.mixing.dispatch_GQL.sizes() == torch::IntArrayRef({2, 4, 3}));
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 4, 8});
  const RoutingPlan alone = router->route(x_TD.narrow(0, 3, 2), make_tokens({{1, {4, 5}}}));
  CHECK(all_close(alone.mixing.combine_GLQ[0], plan.mixing.combine_GLQ[1].narrow(0, 0, 2), 1e-6));
}

TEST_CASE("in the decoder another router decides") {
  const auto router = build("soft", {{"experts", 2}, {"decoder", "hash"}},
                            {.width = 4, .stack = Stack::decoder, .token_counts = {5, 4, 3, 2, 1}});
  const RoutingPlan plan = router->route(torch::ones({4, 4}), one_sentence(4));
  CHECK_FALSE(plan.mixing.dispatch_GQL.defined());
  CHECK(plan.assignment.count() == 4);
}

TEST_CASE("slots and outputs of the two tokens of the golden example") {
  // Cosines to the slots' vectors (1, 0, 0) and (0, 1, 0), times 2: the logits [[1, 0], [0, 2]].
  const auto router = build("soft", {{"experts", 2}, {"slots", 1}}, {.width = 3});
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["slots"].copy_(torch::eye(3).slice(0, 0, 2).view({2, 1, 3}));
  router->named_parameters()["scale"].fill_(2);
  const torch::Tensor x_TD = torch::tensor({{0.5, 0.0, std::sqrt(0.75)}, {0.0, 1.0, 0.0}}, torch::kFloat32);
  const RoutingPlan plan = router->route(x_TD, one_sentence(2));
  const torch::Tensor dispatch_TQ = plan.mixing.dispatch_GQL[0].t(), combine_TQ = plan.mixing.combine_GLQ[0];
  CHECK(all_close(dispatch_TQ, torch::tensor({{.731059, .119203}, {.268941, .880797}})));
  CHECK(all_close(combine_TQ, torch::tensor({{.731059, .268941}, {.119203, .880797}})));
  // Tokens (1, 0) and (0, 1); the experts are x and 2 x.
  const torch::Tensor slot_QD = dispatch_TQ.t() * torch::tensor({{1.0F}, {2.0F}});
  CHECK(all_close(combine_TQ.matmul(slot_QD), torch::tensor({{.598564, .670378}, {.297131, 1.583666}})));
}

}  // namespace moe
