#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {

TEST_CASE("a sentence routes by the softmax of its mean logits, not by the mean of its softmaxes") {
  const auto router = build_on_logits("sentence", 3);
  const RoutingPlan plan = router->route(fixture_logits().narrow(0, 0, 3), one_sentence(3));
  for (std::int64_t t = 0; t < 3; ++t) {
    CHECK(all_close(plan.statistics.probability_TE[t], torch::tensor({.579072, .278131, .142797})));
  }
  CHECK(plan.statistics.choice_T.equal(torch::zeros({3}, torch::kInt64)));
}

TEST_CASE("all tokens of a sentence choose alike, with jitter too, and padding has no part in the mean") {
  const auto router = build_on_logits("sentence", 3, {{"jitter", 0.5}});
  Tokens tokens = make_tokens({{0, {1, 2, 3}}, {1, {4, 5}}});
  torch::Tensor x_TD = fixture_logits();
  const RoutingPlan plan = router->route(x_TD, tokens);
  x_TD[5].fill_(1e4);
  const RoutingPlan other = router->route(x_TD, tokens);
  CHECK(plan.statistics.choice_T.equal(other.statistics.choice_T));
  CHECK(all_close(plan.assignment.weight_M, other.assignment.weight_M, 1e-6));
  const torch::Tensor table_TE = weight_table(plan, 6);
  CHECK(table_TE[0].equal(table_TE[2]));
  CHECK(table_TE[3].equal(table_TE[4]));
}

TEST_CASE("in the decoder the mean of the source states decides, whatever the decoder's own") {
  const auto router = build_on_logits("sentence", 3);
  Tokens tokens = make_tokens({{0, {1, 2, 3}}, {1, {4, 5}}});
  tokens.memory_RD = torch::tensor({{0.0F, 0.0F, 5.0F}, {0.0F, 5.0F, 0.0F}});
  CHECK(router->route(fixture_logits(), tokens)
            .statistics.choice_T.equal(torch::tensor({2, 2, 2, 1, 1, -1}, torch::kInt64)));
}

}  // namespace moe
