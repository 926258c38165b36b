#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <torch/utils.h>

namespace moe {
namespace {

/// cmr whose gate is sigmoid(bias) for every token.
std::shared_ptr<Router> cmr(double bias, Json options = Json::object()) {
  const auto router = build_on_logits("cmr", 3, std::move(options));
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["cmr_weight"].zero_();
  router->named_parameters()["cmr_bias"].fill_(bias);
  return router;
}

}  // namespace

TEST_CASE("every token also passes through the shared expert, with weight 1") {
  const auto router = build_on_logits("shared_expert", 3);
  Tokens tokens = one_sentence(6);
  make_padding(tokens, 5);
  const RoutingPlan plan = router->route(fixture_logits(), tokens);
  const RoutingPlan alone = build_on_logits("top_k", 3, {{"k", 1}})->route(fixture_logits(), tokens);
  CHECK(router->layout().count == 4);
  CHECK(router->layout().active == 2);
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 3, 4, 5, 10});
  const torch::Tensor table_TE = weight_table(plan, 6);
  CHECK(all_close(table_TE.narrow(1, 0, 3), weight_table(alone, 6), 0));
  CHECK(table_TE.select(1, 3).equal(torch::tensor({1.0F, 1.0F, 1.0F, 1.0F, 1.0F, 0.0F})));
  CHECK(plan.assignment.shared == 1);
}

TEST_CASE("cmr blends the shared expert and the others by its gate: sigmoid(ln 3) = .75") {
  const auto router = cmr(std::log(3.0));
  const RoutingPlan plan = router->route(fixture_logits(), one_sentence(6, Phase::evaluate));
  const torch::Tensor table_TE = weight_table(plan, 6);
  // Token 0 has .731059 and .268941 of the experts' part.
  CHECK(all_close(table_TE[0], torch::tensor({.75 * .731059, .75 * .268941, 0., .25})));
  CHECK(all_close(table_TE.sum(1), torch::ones({6}), 1e-6));
  CHECK(plan.losses.own.item<double>() == Approx(0.1 * 0.05).margin(1e-6));  // |.75 - .8|
}

TEST_CASE("its gate dropout leaves some tokens to the shared expert and makes up for it with the others") {
  const auto router = cmr(0, {{"gate_dropout", 0.25}});
  torch::Tensor x_TD = fixture_logits().repeat({500, 1});
  const RoutingPlan plan = router->route(x_TD, one_sentence(3000));
  const torch::Tensor shared_T = weight_table(plan, 3000).select(1, 3);
  const double alone = (shared_T == 1).sum().item<double>();
  CHECK(alone == Approx(750).margin(4 * std::sqrt(3000 * .25 * .75)));
  CHECK(all_close(shared_T.masked_select(shared_T < 1),
                  torch::full({3000 - static_cast<std::int64_t>(alone)}, 1 - .5 / .75)));
}

}  // namespace moe
