#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

RoutingPlan route_by_experts(const Json& options) {
  return build_on_logits("expert_choice", 3, options)->route(fixture_logits(), one_sentence(6));
}

RouterContext decoder_context() {
  RouterContext context{.width = 3, .stack = Stack::decoder};
  context.token_counts.assign(20, 1);
  return context;
}

/// Whether another state of the last token changes what a router decides for the tokens before it.
bool sees_the_future(Router& router, const Tokens& tokens) {
  const torch::Tensor x_TD = fixture_logits();
  torch::Tensor changed_TD = x_TD.clone();
  changed_TD[5] = torch::tensor({9.0F, 0.0F, 0.0F});
  const torch::Tensor before = weight_table(router.route(x_TD, tokens), 6).narrow(0, 0, 5);
  return !before.equal(weight_table(router.route(changed_TD, tokens), 6).narrow(0, 0, 5));
}

}  // namespace

TEST_CASE("each expert takes its two best tokens of Fixture A with their probabilities") {
  const RoutingPlan plan = route_by_experts({{"capacity", 2}});
  const torch::Tensor expected_TE = torch::tensor({{0., 0., 0.},
                                                   {.708217, 0., .213311},
                                                   {0., .665241, 0.},
                                                   {.909443, 0., 0.},
                                                   {0., 0., .665241},
                                                   {0., .348207, 0.}});
  CHECK(all_close(weight_table(plan, 6), expected_TE));
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 2, 4, 6});
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 0, 1, 0, 2, 0}, torch::kInt64)));
  CHECK_FALSE(plan.losses.balance.defined());
}

TEST_CASE("the factor gives each expert its share of the tokens: 1.0 * 6 / 3 is 2, and at evaluation too") {
  for (const Phase phase : {Phase::train, Phase::evaluate}) {
    const auto router = build_on_logits("expert_choice", 3);
    CHECK(router->route(fixture_logits(), one_sentence(6, phase)).assignment.expert_offsets.host() ==
          std::vector<std::int64_t>{0, 2, 4, 6});
  }
  CHECK(route_by_experts({{"capacity_factor", 2.0}}).assignment.count() == 12);
  CHECK(route_by_experts({{"capacity", 100}}).assignment.count() == 18);  // no expert takes more tokens than there are
}

TEST_CASE("as in Mesh TensorFlow: softmax over the tokens, and a token's weights shared between its experts") {
  const RoutingPlan plan = route_by_experts({{"capacity", 2}, {"score", "tokens"}});
  const torch::Tensor expected_TE = torch::tensor({{0., 0., 0.},
                                                   {.189573, 0., .192686},
                                                   {0., .382708, 0.},
                                                   {.421904, 0., 0.},
                                                   {0., 0., .523774},
                                                   {0., .232124, 0.}});
  CHECK(all_close(weight_table(plan, 6), expected_TE));
  const RoutingPlan shared = route_by_experts({{"capacity", 2}, {"score", "tokens"}, {"share", true}});
  torch::Tensor halved_TE = expected_TE.clone();
  halved_TE[1] /= 2;  // the one token that two experts took
  CHECK(all_close(weight_table(shared, 6), halved_TE));
}

TEST_CASE("padding is taken by no expert, however high its logits, and has no part in a softmax over tokens") {
  for (const char* score : {"experts", "tokens"}) {
    const auto router = build_on_logits("expert_choice", 3, {{"capacity", 6}, {"score", score}});
    Tokens tokens = one_sentence(6);
    make_padding(tokens, 3);
    torch::Tensor loud = fixture_logits();
    loud[3] = torch::tensor({100.0F, 100.0F, 100.0F});
    const RoutingPlan plan = router->route(fixture_logits(), tokens);
    CHECK(plan.assignment.count() == 15);
    CHECK(all_close(weight_table(router->route(loud, tokens), 6), weight_table(plan, 6), 1e-6));
  }
}

TEST_CASE("by sentence, an expert takes its best of each") {
  const auto router = build_on_logits("expert_choice", 3, {{"group", "sentence"}, {"capacity", 1}});
  const RoutingPlan plan = router->route(fixture_logits(), make_tokens({{0, {1, 2, 3}}, {1, {4, 5, 6}}}));
  CHECK(plan.assignment.token_M.equal(torch::tensor({1, 3, 2, 5, 1, 4}, torch::kInt64)));
}

TEST_CASE("in the encoder it sees the whole group; in the decoder nothing of it sees the future") {
  const Tokens tokens = one_sentence(6);
  CHECK(sees_the_future(*build_on_logits("expert_choice", 3), tokens));
  for (const char* decoder : {"switch", "gshard", "hash", "random", "per_step"}) {
    CAPTURE(decoder);
    const auto router = build("expert_choice", {{"experts", 3}, {"decoder", decoder}}, decoder_context());
    CHECK_FALSE(sees_the_future(*router, tokens));
  }
}

TEST_CASE("per step, the tokens of one position compete across the batch") {
  const auto router =
      build_on_logits("expert_choice", 3, {{"decoder", "per_step"}, {"capacity", 1}}, decoder_context());
  const Tokens tokens = make_tokens({{0, {1, 2, 3}}, {1, {4, 5, 6}}});
  // Positions: {0, 3}, {1, 4}, {2, 5}. Expert 0 takes 3, 1 and 5; expert 1 takes 0, 4 and 2; expert 2 takes 0, 4 and 2.
  CHECK(router->route(fixture_logits(), tokens)
            .assignment.token_M.equal(torch::tensor({1, 3, 5, 0, 2, 4, 0, 2, 4}, torch::kInt64)));
}

TEST_CASE("a decoder that the experts do not allow is refused") {
  CHECK_THROWS_WITH(build("expert_choice", {{"experts", 1}, {"decoder", "gshard"}}),
                    "test: strategy.experts: found 1, allowed is at least 2.");
}

TEST_CASE("equal tokens are taken in their order") {
  const auto router = build_on_logits("expert_choice", 2, {{"capacity", 2}});
  const RoutingPlan plan = router->route(torch::zeros({5, 2}), one_sentence(5));
  CHECK(plan.assignment.token_M.equal(torch::tensor({0, 1, 0, 1}, torch::kInt64)));
}

}  // namespace moe
