#include "routers/routing_swap.h"

#include "tests/routers/fixture.h"
#include "tests/support/catch.h"

#include <set>

namespace moe {
namespace {

const RandomStream stream(5);

/// The experts of each token, ascending, from a plan.
std::vector<std::vector<std::int64_t>> experts_by_token(const RoutingPlan& plan, std::int64_t tokens) {
  std::vector<std::vector<std::int64_t>> experts(static_cast<std::size_t>(tokens));
  const torch::Tensor expert_M = experts_of(plan);
  for (std::int64_t m = 0; m < plan.assignment.count(); ++m) {
    const auto token = plan.assignment.token_M[m].item<std::int64_t>();
    experts[static_cast<std::size_t>(token)].push_back(expert_M[m].item<std::int64_t>());
  }
  return experts;
}

std::vector<std::int64_t> loads(const RoutingPlan& plan) {
  std::vector<std::int64_t> loads;
  for (std::int64_t e = 0; e < plan.assignment.experts(); ++e) loads.push_back(plan.assignment.load(e));
  return loads;
}

RoutingPlan plan_of(const std::string& router, const Tokens& tokens, const Json& options = Json::object()) {
  return build_on_logits(router, 3, options)->route(fixture_logits(), tokens);
}

}  // namespace

TEST_CASE("shuffled choices keep the load of each expert and the weights, and leave padding alone") {
  const std::string router = GENERATE("switch", "gshard");
  const Tokens tokens = last_is_padding();
  const RoutingPlan plan = plan_of(router, tokens);
  const RoutingPlan swapped = with_swapped_routing(plan, RoutingSwap::shuffled, tokens, stream);
  CHECK(loads(swapped) == loads(plan));
  CHECK(experts_by_token(swapped, 6)[5].empty());
  CHECK(experts_by_token(swapped, 6) != experts_by_token(plan, 6));
  CHECK(std::get<0>(weights_of(swapped).sort()).equal(std::get<0>(weights_of(plan).sort())));
  for (std::int64_t e = 0; e < 3; ++e) {  // rows ascend within an expert
    const auto& offset = swapped.assignment.expert_offsets.host();
    const torch::Tensor rows = swapped.assignment.token_M.slice(0, offset[static_cast<std::size_t>(e)],
                                                                offset[static_cast<std::size_t>(e) + 1]);
    CHECK(rows.equal(std::get<0>(rows.sort())));
  }
}

TEST_CASE("the second best of each token takes the place of its best, with its weight") {
  const Tokens tokens = one_sentence(6);
  const RoutingPlan plan = plan_of("switch", tokens);
  const RoutingPlan swapped = with_swapped_routing(plan, RoutingSwap::second_best, tokens, stream);
  CHECK(experts_by_token(plan, 6) == std::vector<std::vector<std::int64_t>>{{0}, {0}, {1}, {0}, {2}, {0}});
  // Of equal probabilities the lower number, as in token 3.
  CHECK(experts_by_token(swapped, 6) == std::vector<std::vector<std::int64_t>>{{1}, {2}, {0}, {1}, {1}, {1}});
  for (std::int64_t t = 0; t < 6; ++t) {
    const auto weight = [&](const RoutingPlan& of) {
      return weights_of(of).masked_select(of.assignment.token_M == t).item<float>();
    };
    CHECK(weight(swapped) == weight(plan));
  }
  // Of two choices the better one goes.
  const RoutingPlan two = with_swapped_routing(plan_of("gshard", tokens), RoutingSwap::second_best, tokens, stream);
  CHECK(experts_by_token(two, 6)[0] == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("random choices differ between tokens, keep their number, and depend on the stream") {
  const Tokens tokens = one_sentence(6);
  const RoutingPlan plan = plan_of("gshard", tokens);
  const RoutingPlan swapped = with_swapped_routing(plan, RoutingSwap::random, tokens, stream);
  for (const auto& experts : experts_by_token(swapped, 6)) {
    REQUIRE(experts.size() == 2);
    CHECK(experts[0] != experts[1]);
  }
  const RoutingPlan one = plan_of("switch", tokens);
  const auto before = experts_by_token(one, 6);
  const auto after = experts_by_token(with_swapped_routing(one, RoutingSwap::random, tokens, stream), 6);
  std::set<std::int64_t> moves;
  for (std::size_t t = 0; t < 6; ++t) moves.insert((after[t][0] - before[t][0] + 3) % 3);
  CHECK(moves.size() > 1);
  const auto again = [&](const RandomStream& other) {
    return experts_by_token(with_swapped_routing(plan, RoutingSwap::random, tokens, other), 6);
  };
  CHECK(again(stream) == experts_by_token(swapped, 6));
  CHECK(again(RandomStream(6)) != experts_by_token(swapped, 6));
}

TEST_CASE("a shared expert keeps every token") {
  const Tokens tokens = last_is_padding();
  const RoutingPlan plan = plan_of("shared_expert", tokens);
  REQUIRE(plan.assignment.shared == 1);
  for (const RoutingSwap swap : {RoutingSwap::shuffled, RoutingSwap::second_best, RoutingSwap::random}) {
    const RoutingPlan swapped = with_swapped_routing(plan, swap, tokens, stream);
    const auto& offset = swapped.assignment.expert_offsets.host();
    CHECK(swapped.assignment.token_M.slice(0, offset[offset.size() - 2]).equal(torch::arange(5)));
    CHECK(swapped.assignment.shared == 1);
  }
}

TEST_CASE("where there is nothing to choose, nothing is swapped") {
  const Tokens tokens = one_sentence(6);
  CHECK_FALSE(can_swap_routing(plan_of("switch", tokens), RoutingSwap::none));
  CHECK_FALSE(can_swap_routing(build("dense")->route(fixture_logits(), tokens), RoutingSwap::shuffled));
  const RoutingPlan drawn = build("thor", {{"experts", 3}})->route(fixture_logits(), tokens);
  CHECK_FALSE(can_swap_routing(drawn, RoutingSwap::second_best));  // no gate
  CHECK(can_swap_routing(plan_of("switch", tokens), RoutingSwap::second_best));
}

}  // namespace moe
