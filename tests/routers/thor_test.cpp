#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

/// The one expert that a pass uses.
std::int64_t expert_of(Router& router, std::int64_t step, std::int64_t pass) {
  Tokens tokens = one_sentence(1);
  tokens.call.step = step;
  tokens.call.forward_pass = pass;
  return router.route(torch::zeros({1, 2}), tokens).statistics.choice_T[0].item<std::int64_t>();
}

/// Steps whose two passes use the experts (first, second), [E, E].
torch::Tensor count_pairs(Router& router, std::int64_t experts, std::int64_t steps) {
  torch::Tensor pair_EE = torch::zeros({experts, experts}, torch::kInt64);
  for (std::int64_t step = 0; step < steps; ++step)
    pair_EE[expert_of(router, step, 0)][expert_of(router, step, 1)] += 1;
  return pair_EE;
}

double chi_square(const torch::Tensor& seen, double expected) {
  return ((seen - expected).square() / expected).sum().item<double>();
}

}  // namespace

TEST_CASE("a training pass uses one expert for the whole batch, with weight 1") {
  const Tokens tokens = make_tokens({{0, {1, 2, 3}}, {1, {4}}});
  const RoutingPlan plan = build("thor")->route(torch::zeros({6, 2}), tokens);
  CHECK(plan.assignment.count() == 4);
  const std::int64_t expert = plan.statistics.choice_T[0].item<std::int64_t>();
  CHECK(plan.assignment.load(expert) == 4);
  CHECK_FALSE(plan.assignment.weight_M.defined());
  CHECK_FALSE(plan.losses.balance.defined());
  CHECK_FALSE(plan.losses.z.defined());
}

TEST_CASE("the draw depends on neither the batch nor its padding") {
  const auto router = build("thor", {{"experts", 1000}});
  const auto expert = [&](const Tokens& tokens) {
    return router->route(torch::zeros({tokens.count(), 2}), tokens).statistics.choice_T[0].item<std::int64_t>();
  };
  const auto alone = expert(make_tokens({{0, {1, 2}}}));
  CHECK(expert(make_tokens({{0, {1, 2}}}, 3)) == alone);
  CHECK(expert(make_tokens({{5, {7}}, {0, {1, 2}}})) == alone);
}

TEST_CASE("the two passes of a step draw uniformly and independently") {
  const auto router = build("thor", {{"experts", 3}});
  // Nine cells, eight degrees of freedom; 31.8 is passed by chance once in 10,000.
  CHECK(chi_square(count_pairs(*router, 3, 9000), 1000) < 31.8);
}

TEST_CASE("a distinct pair never shares its expert, and is uniform over the others") {
  const auto router = build("thor", {{"experts", 3}, {"distinct_pair", true}});
  const torch::Tensor pair_EE = count_pairs(*router, 3, 6000);
  CHECK(pair_EE.diagonal().sum().item<std::int64_t>() == 0);
  const torch::Tensor others = pair_EE.index({torch::eye(3).to(torch::kBool).logical_not()});
  CHECK(chi_square(others, 1000) < 25.7);  // six cells, five degrees of freedom
  CHECK(build("thor", {{"experts", 2}, {"distinct_pair", true}})->layout().count == 2);
  CHECK_THROWS_WITH(build("thor", {{"experts", 1}, {"distinct_pair", true}}),
                    "test: strategy.distinct_pair: found true with 1 expert; two passes can use different experts only "
                    "with at least 2.");
}

TEST_CASE("layers draw independently: all six agree over both passes of a step in 1 of 64") {
  constexpr std::int64_t steps = 4000;
  std::vector<std::shared_ptr<Router>> layers;
  for (std::int64_t layer = 0; layer < 6; ++layer) layers.push_back(build("thor", {{"experts", 2}}, {.layer = layer}));
  std::int64_t agreeing = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    agreeing += std::all_of(layers.begin(), layers.end(), [&](const auto& layer) {
      return expert_of(*layer, step, 0) == expert_of(*layer, step, 1);
    });
  }
  // 4 deviations of sqrt(.015625 * .984375 / 4000) = .00196.
  CHECK(static_cast<double>(agreeing) / steps == Approx(.015625).margin(.0079));
}

TEST_CASE("evaluation draws per sentence by default") {
  const auto router = build("thor", {{"experts", 1000}});
  const auto choices = [&](const Tokens& tokens) {
    return router->route(torch::zeros({tokens.count(), 2}), tokens).statistics.choice_T;
  };
  const torch::Tensor together = choices(make_tokens({{0, {1, 2}}, {1, {1, 2}}}, 0, Phase::evaluate));
  CHECK(together[0].equal(together[1]));
  CHECK_FALSE(together[1].equal(together[2]));
  CHECK(choices(make_tokens({{1, {1, 2}}}, 0, Phase::evaluate)).equal(together.slice(0, 2, 4)));
}

TEST_CASE("the other ways to evaluate can be asked for") {
  const Tokens tokens = one_sentence(3, Phase::evaluate);
  const auto plan = [&](const char* inference) {
    return build("thor", {{"inference", inference}})->route(torch::zeros({3, 2}), tokens);
  };
  CHECK(plan("fixed:3").assignment.load(3) == 3);
  CHECK(plan("mean").assignment.count() == 12);
  CHECK_THROWS(plan("ensemble"));
}

}  // namespace moe
