#include "core/error.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tokens.h"

namespace moe {

TEST_CASE("the oracle sends each token to its label, modulo the experts, with weight 1") {
  const auto router = build("oracle", {{"experts", 3}});
  Tokens tokens = one_sentence(6);
  tokens.label_T = torch::tensor({0, 4, 2, 3, 7, 1}, torch::kInt64);
  make_padding(tokens, 5);
  const RoutingPlan plan = router->route(torch::zeros({6, 2}), tokens);
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 1, 2, 0, 1, -1}, torch::kInt64)));
  CHECK_FALSE(plan.assignment.weight_M.defined());
  CHECK(plan.statistics.dropped_T.sum().item<std::int64_t>() == 0);
}

TEST_CASE("tokens without a label of their own, such as a sentence's end, still have an expert") {
  Tokens tokens = one_sentence(2);
  tokens.label_T = torch::tensor({5, -1}, torch::kInt64);
  const RoutingPlan plan = build("oracle", {{"experts", 4}})->route(torch::zeros({2, 2}), tokens);
  CHECK(plan.statistics.choice_T.equal(torch::tensor({1, 3}, torch::kInt64)));
}

TEST_CASE("outside known-answer worlds the oracle refuses, and in the decoder it is a hash") {
  Tokens tokens = one_sentence(3);
  tokens.label_T = torch::Tensor();
  CHECK_THROWS_WITH(build("oracle")->route(torch::zeros({3, 2}), tokens),
                    "The router oracle needs labels, which only known-answer worlds have.");
  const RouterContext decoder{.stack = Stack::decoder, .token_counts = {1, 1, 1}};
  CHECK(build("oracle", Json::object(), decoder)
            ->route(torch::zeros({3, 2}), tokens)
            .statistics.choice_T.equal(
                build("hash", Json::object(), decoder)->route(torch::zeros({3, 2}), tokens).statistics.choice_T));
}

}  // namespace moe
