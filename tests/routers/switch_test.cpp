#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

RoutingPlan route_to_one(const Json& options, const Tokens& tokens = one_sentence(6)) {
  return build_on_logits("switch", 3, options)->route(fixture_logits(), tokens);
}

}  // namespace

TEST_CASE("switch sends each token to its best expert with that expert's probability") {
  const RoutingPlan plan = route_to_one(Json::object());
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 0, 1, 0, 2, 0}, torch::kInt64)));
  CHECK(plan.assignment.token_M.equal(torch::tensor({0, 1, 3, 5, 2, 4}, torch::kInt64)));
  CHECK(plan.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 4, 5, 6});
  CHECK(all_close(plan.assignment.weight_M, torch::tensor({.665241, .708217, .909443, .574097, .665241, .665241})));
  CHECK(plan.statistics.dropped_T.sum().item<std::int64_t>() == 0);
  CHECK(plan.losses.balance.item<double>() == Approx(1.297939).margin(1e-5));
  CHECK(plan.losses.z.item<double>() == Approx(6.662184).margin(1e-5));
  CHECK(all_close(plan.statistics.logit_TE, fixture_logits(), 1e-6));
  CHECK(all_close(plan.statistics.probability_TE, fixture_logits().softmax(1), 1e-6));
}

TEST_CASE("switch with two slots drops the late tokens of a full expert, which get 0") {
  const RoutingPlan plan = route_to_one({{"capacity", 2}});
  CHECK(all_close(combine(plan, 6), torch::tensor({.665241, .708217, 1.330482, 0., 1.995723, 0.})));
  CHECK(plan.statistics.dropped_T.equal(torch::tensor({0, 0, 0, 1, 0, 1}, torch::kInt64)));
  // Losses see the choices before capacity.
  CHECK(plan.losses.balance.item<double>() == Approx(1.297939).margin(1e-5));
}

TEST_CASE("with ntlb a token without a slot takes its next best expert, at that expert's probability") {
  const RoutingPlan plan = route_to_one({{"capacity", 2}, {"fill", "ntlb"}});
  const torch::Tensor table_TE = weight_table(plan, 6);
  CHECK(all_close(table_TE[3], torch::tensor({0., .045279, 0.})));  // the tie with expert 2 goes to the lower one
  CHECK(all_close(table_TE[5], torch::tensor({0., 0., .077696})));
  CHECK(plan.statistics.dropped_T.sum().item<std::int64_t>() == 0);
  CHECK(plan.statistics.choice_T.equal(route_to_one(Json::object()).statistics.choice_T));  // before capacity
  CHECK(plan.losses.balance.item<double>() == Approx(1.297939).margin(1e-5));               // of the first choices
}

TEST_CASE("switch leaves padding out of choices and losses") {
  Tokens tokens = one_sentence(6);
  make_padding(tokens, 5);
  const RoutingPlan plan = route_to_one(Json::object(), tokens);
  CHECK(plan.assignment.count() == 5);
  CHECK(plan.statistics.choice_T[5].item<std::int64_t>() == -1);
  CHECK(plan.losses.balance.item<double>() == Approx(1.228238).margin(1e-5));
  CHECK(plan.losses.z.item<double>() == Approx(6.689060).margin(1e-5));
}

TEST_CASE("the balance loss of switch sees the choices before tokens are dropped") {
  const torch::Tensor logit_TE = torch::tensor({{0., 1.}, {0., 1.}, {0., 1.}, {0., 1.}});
  const RoutingPlan plan = build_on_logits("switch", 2, {{"capacity", 2}})->route(logit_TE, one_sentence(4));
  CHECK(plan.assignment.load(1) == 2);
  CHECK(plan.losses.balance.item<double>() == Approx(1.462117).margin(1e-5));
}

TEST_CASE("the weight brings the gradient to the gate, and dividing it by itself would not") {
  const auto gate_gradient = [](bool renormalised) {
    const auto router = build_on_logits("switch", 3);
    const torch::Tensor weight_M = router->route(fixture_logits(), one_sentence(6)).assignment.weight_M;
    ((renormalised ? weight_M / weight_M.clone() : weight_M) * torch::tensor({1., -2., 3., -4., 5., -6.}))
        .sum()
        .backward();
    return router->named_parameters()["weight"].grad().abs().max().item<double>();
  };
  CHECK(gate_gradient(false) > 0.1);
  CHECK(gate_gradient(true) < 1e-6);
}

TEST_CASE("the gradient of switch's weights agrees with central differences in float64") {
  const auto router = build_on_logits("switch", 3, {{"capacity", 2}});
  const auto output = [&](const torch::Tensor& x_TD) {
    return (combine(router->route(x_TD, one_sentence(6)), 6) * torch::arange(1, 7)).sum();
  };
  CHECK(gradient_error(output, fixture_logits(torch::kFloat64)) < 1e-7);
}

TEST_CASE("jitter reaches the choice and the weight, but neither the states nor evaluation") {
  const auto router = build_on_logits("switch", 3, {{"jitter", 0.3}});
  const torch::Tensor x_TD = fixture_logits();
  const RoutingPlan plan = router->route(x_TD, one_sentence(6));
  CHECK(x_TD.equal(fixture_logits()));
  CHECK_FALSE(all_close(plan.assignment.weight_M, route_to_one(Json::object()).assignment.weight_M, 1e-3));
  CHECK(plan.losses.z.item<double>() == Approx(6.662184).margin(1e-5));
  CHECK(all_close(plan.statistics.probability_TE, fixture_logits().softmax(1), 1e-6));

  const RoutingPlan evaluation = router->route(x_TD, one_sentence(6, Phase::evaluate));
  CHECK(evaluation.assignment.weight_M.equal(route_to_one(Json::object()).assignment.weight_M));
}

TEST_CASE("a sampled expert comes with its own probability, in training alone") {
  constexpr std::int64_t count = 20000;
  const auto router = build_on_logits("switch", 3, {{"pick", "sample"}});
  const torch::Tensor x_TD = torch::tensor({{2.0, 1.5, 0.0}}).expand({count, 3});
  const RoutingPlan plan = router->route(x_TD, one_sentence(count));
  // 4 deviations of a share are at most 4 * sqrt(.25 / 20000) = .0142.
  CHECK(static_cast<double>(plan.assignment.load(0)) / count == Approx(.574097).margin(.0142));
  CHECK(static_cast<double>(plan.assignment.load(1)) / count == Approx(.348207).margin(.0142));
  CHECK(plan.assignment.weight_M[0].item<double>() == Approx(.574097).margin(1e-5));
  CHECK(plan.assignment.weight_M[-1].item<double>() == Approx(.077696).margin(1e-5));
  CHECK(router->route(x_TD, one_sentence(count, Phase::evaluate)).assignment.load(0) == count);
}

TEST_CASE("switch-paper is switch with the paper's capacity and jitter") {
  ConfigErrors errors;
  const Json plain = find_router("switch").resolve(Json::object(), "strategy", errors);
  Json paper = find_router("switch-paper").resolve(Json::object(), "strategy", errors);
  CHECK(plain["capacity_factor"].is_null());
  CHECK(plain["jitter"] == 0);
  CHECK(paper["capacity_factor"] == 1.25);
  CHECK(paper["jitter"] == 0.01);
  paper["capacity_factor"] = nullptr;
  paper["jitter"] = 0;
  CHECK(paper == plain);
  CHECK(find_router("switch-paper").resolve({{"jitter", 0.05}}, "strategy", errors)["capacity_factor"] == 1.25);
  CHECK(errors.empty());

  // 10 tokens on 4 experts: ceil(1.25 * 10 / 4) = 4 slots in training, none lacking at evaluation.
  const auto router = build_on_logits("switch-paper", 4);
  const torch::Tensor x_TD = torch::tensor({{9., 0., 0., 0.}}).expand({10, 4});
  CHECK(router->route(x_TD, one_sentence(10)).assignment.load(0) == 4);
  CHECK(router->route(x_TD, one_sentence(10, Phase::evaluate)).assignment.load(0) == 10);
}

TEST_CASE("a frozen gate routes as switch does at first and is not trained") {
  const RouterContext context{.width = 3, .seed = 5};
  const auto frozen = build("frozen", Json::object(), context);
  const auto learned = build("switch", Json::object(), context);
  const torch::Tensor x_TD = fixture_logits().requires_grad_(true);
  const RoutingPlan plan = frozen->route(x_TD, one_sentence(6));
  CHECK(plan.assignment.weight_M.equal(learned->route(x_TD, one_sentence(6)).assignment.weight_M));
  CHECK_FALSE(frozen->named_parameters()["weight"].requires_grad());
  CHECK(learned->named_parameters()["weight"].requires_grad());
  plan.assignment.weight_M.sum().backward();
  CHECK(x_TD.grad().abs().max().item<double>() > 0);  // the states still feel the weight
}

TEST_CASE("with dropped = input a token without a slot gets its probability times its state") {
  const auto router = build_on_logits("switch", 3, {{"capacity", 2}, {"dropped", "input"}});
  const RoutingPlan plan = router->route(fixture_logits(), one_sentence(6));
  CHECK(all_close(plan.io.input_weight_T, torch::tensor({0., 0., 0., .909443, 0., .574097})));
  CHECK(all_close(combine(plan, 6), torch::tensor({.665241, .708217, 1.330482, 0., 1.995723, 0.})));
  CHECK(plan.io.input_weight_T.requires_grad());
}

}  // namespace moe
