#include "routers/gating.h"

#include "routers/streams.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <ATen/autocast_mode.h>

#include <cmath>

namespace moe {
namespace {

torch::Tensor fixture_probabilities(torch::Dtype dtype = torch::kFloat32) {
  return fixture_logits(dtype).softmax(1);
}

}  // namespace

TEST_CASE("Fixture A has the probabilities and choices of its table") {
  CHECK(all_close(fixture_probabilities(), torch::tensor({{.665241, .244728, .090031},
                                                          {.708217, .078473, .213311},
                                                          {.244728, .665241, .090031},
                                                          {.909443, .045279, .045279},
                                                          {.090031, .244728, .665241},
                                                          {.574097, .348207, .077696}})));
  CHECK(best_experts(fixture_logits(), 2, one_sentence(6))
            .equal(torch::tensor({{0, 1}, {0, 2}, {1, 0}, {0, 1}, {2, 1}, {0, 1}}, torch::kInt64)));
}

TEST_CASE("the best experts come in falling order, equal ones by index, and padding has none") {
  Tokens tokens = one_sentence(4);
  make_padding(tokens, 2);
  const torch::Tensor score_TE =
      torch::tensor({{1., 3., 3., 2.}, {0., 0., 0., 0.}, {9., 8., 7., 6.}, {-4., -3., -2., -1.}});
  CHECK(best_experts(score_TE, 3, tokens)
            .equal(torch::tensor({{1, 2, 3}, {0, 1, 2}, {-1, -1, -1}, {3, 2, 1}}, torch::kInt64)));
  CHECK(best_experts(score_TE, 4, tokens)[0].equal(torch::tensor({1, 2, 3, 0}, torch::kInt64)));
  CHECK_THROWS_WITH(best_experts(score_TE, 5, tokens), "A token cannot choose 5 of 4 experts.");
}

TEST_CASE("scores that are no numbers still name experts, so that a diverged run fails by its loss") {
  const torch::Tensor score_TE = torch::full({1, 3}, std::nan(""));
  CHECK(best_experts(score_TE, 2, one_sentence(1)).equal(torch::tensor({{0, 1}}, torch::kInt64)));
}

TEST_CASE("the z-loss of Fixture A") {
  CHECK(router_z_loss(fixture_logits(), one_sentence(6)).item<double>() == Approx(6.662184).margin(1e-5));
  CHECK(router_z_loss(fixture_logits(), last_is_padding()).item<double>() == Approx(6.689060).margin(1e-5));
}

TEST_CASE("padding counts in the z-loss by its own logits or by logits of 0, when asked") {
  const auto z_loss = [](PaddingInZ padding) {
    return router_z_loss(fixture_logits(), last_is_padding(), padding).item<double>();
  };
  CHECK(z_loss(PaddingInZ::own_logits) == Approx(6.662184).margin(1e-5));
  CHECK(z_loss(PaddingInZ::zero_logits) == Approx(5.775375).margin(1e-5));
}

TEST_CASE("the z-loss without a valid token is 0") {
  Tokens tokens = one_sentence(6);
  for (int row = 0; row < 6; ++row) make_padding(tokens, row);
  CHECK(router_z_loss(fixture_logits(), tokens).item<double>() == 0);
}

TEST_CASE("the gradient of the z-loss agrees with central differences in float64") {
  const Tokens tokens = last_is_padding();
  const torch::Tensor logit_TE = fixture_logits(torch::kFloat64);
  const auto z_loss = [&](const torch::Tensor& input_TE) { return router_z_loss(input_TE, tokens); };
  CHECK(gradient_error(z_loss, logit_TE) < 1e-8);
}

TEST_CASE("the gradient of the z-loss is 2 lse p / V") {
  const torch::Tensor logit_TE = fixture_logits(torch::kFloat64).requires_grad_(true);
  router_z_loss(logit_TE, one_sentence(6)).backward();
  const torch::Tensor lse_T1 = torch::tensor({2.407606, 2.545005, 2.407606, 3.094923, 2.407606, 2.554957}).unsqueeze(1);
  CHECK(all_close(logit_TE.grad(), 2 * lse_T1 * fixture_probabilities() / 6));
}

TEST_CASE("chosen probabilities follow the choice and carry its gradient") {
  const torch::Tensor probability_TE = fixture_probabilities(torch::kFloat64);
  const torch::Tensor expert_TK = torch::tensor({{0, 1}, {2, -1}, {-1, -1}, {1, 2}, {0, 1}, {2, 0}}, torch::kInt64);
  CHECK(all_close(
      chosen_probabilities(probability_TE, expert_TK),
      torch::tensor(
          {{.665241, .244728}, {.213311, 0.}, {0., 0.}, {.045279, .045279}, {.090031, .244728}, {.077696, .574097}})));
  const auto weighted = [&](const torch::Tensor& logit_TE) {
    return (chosen_probabilities(logit_TE.softmax(1), expert_TK) * torch::arange(1, 13).reshape({6, 2})).sum();
  };
  CHECK(gradient_error(weighted, fixture_logits(torch::kFloat64)) < 1e-7);
}

TEST_CASE("logits are float32 whatever the states are, also under autocast, and float64 stays") {
  const RouterContext context{.width = 3};
  const Tokens tokens = one_sentence(6);
  const torch::Tensor weight_ED = torch::tensor({{1.001, 0., 0.}, {0., 1., 0.}, {0., 0., 1.}});
  const torch::Tensor exact = fixture_logits() * torch::tensor({1.001, 1., 1.});

  at::autocast::set_autocast_enabled(at::kCPU, true);
  const torch::Tensor logit_TE = gate_logits(fixture_logits(), weight_ED, 0, context, tokens);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  CHECK(logit_TE.scalar_type() == torch::kFloat32);
  CHECK(all_close(logit_TE, exact, 1e-6));  // bfloat16 would be off by 1e-3
  CHECK(gate_logits(fixture_logits(torch::kBFloat16), weight_ED, 0, context, tokens).scalar_type() == torch::kFloat32);
  CHECK(gate_logits(fixture_logits(torch::kFloat64), weight_ED, 0, context, tokens).scalar_type() == torch::kFloat64);
}

TEST_CASE("jitter multiplies each element of the gate's input, in training alone") {
  const RouterContext context{.width = 8};
  const torch::Tensor x_TD = torch::ones({400, 8});
  const torch::Tensor identity = torch::eye(8);
  const Tokens tokens = one_sentence(400);
  const torch::Tensor factor_TD = gate_logits(x_TD, identity, 0.1, context, tokens);
  CHECK(x_TD.equal(torch::ones({400, 8})));
  CHECK(factor_TD.min().item<double>() >= 0.9);
  CHECK(factor_TD.max().item<double>() <= 1.1);
  // U[.9, 1.1] has deviation .2 / sqrt(12) = .057735; the mean of 3200 has .00102, and 4 of them are .0041.
  CHECK(factor_TD.mean().item<double>() == Approx(1.0).margin(0.0041));
  CHECK(factor_TD.std().item<double>() == Approx(0.057735).margin(0.003));

  CHECK(factor_TD.equal(gate_logits(x_TD, identity, 0.1, context, tokens)));
  Tokens later = tokens;
  later.call.step = 1;
  CHECK_FALSE(factor_TD.equal(gate_logits(x_TD, identity, 0.1, context, later)));
  Tokens evaluation = tokens;
  evaluation.call.phase = Phase::evaluate;
  CHECK(gate_logits(x_TD, identity, 0.1, context, evaluation).equal(x_TD));
}

TEST_CASE("a softmax gate keeps clean logits beside the jittered ones") {
  const RouterContext context{.width = 3};
  const Tokens tokens = one_sentence(6);
  const GateScores scores = softmax_gate(fixture_logits(), torch::eye(3), {.jitter = 0.1}, context, tokens);
  CHECK(all_close(scores.clean_logit_TE, fixture_logits(), 1e-6));
  CHECK_FALSE(all_close(scores.logit_TE, fixture_logits(), 1e-3));
  CHECK(all_close(scores.probability_TE, scores.logit_TE.softmax(1), 1e-6));

  RoutingPlan plan;
  record_gate(scores, tokens, plan);
  CHECK(plan.losses.z.item<double>() == Approx(6.662184).margin(1e-5));
  CHECK(all_close(plan.statistics.probability_TE, fixture_probabilities(), 1e-6));
}

TEST_CASE("normal noise on the logits has the deviation noise / experts") {
  constexpr std::int64_t count = 20000;
  const RouterContext context{.width = 3};
  const torch::Tensor x_TD = torch::zeros({count, 3});
  const GateScores scores = softmax_gate(x_TD, torch::eye(3), {.normal = 6}, context, one_sentence(count));
  CHECK(scores.clean_logit_TE.abs().max().item<double>() == 0);
  CHECK(scores.logit_TE.mean().item<double>() == Approx(0).margin(0.033));  // 4 sigma of 60,000 draws
  CHECK(scores.logit_TE.std().item<double>() == Approx(2).margin(0.024));
  CHECK(scores.probability_TE.equal(scores.logit_TE.softmax(1)));
  const Tokens evaluated = one_sentence(count, Phase::evaluate);
  CHECK(softmax_gate(x_TD, torch::eye(3), {.normal = 6}, context, evaluated).logit_TE.equal(scores.clean_logit_TE));
}

TEST_CASE("sampling draws from the softmax of the experts that are left") {
  constexpr std::int64_t count = 100000;
  const Tokens tokens = one_sentence(count);
  const torch::Tensor logit_TE = torch::tensor({{2.0, 1.5, 0.0}}).expand({count, 3});
  const RandomStream stream(5);

  torch::Tensor expert_T2 = torch::full({count, 2}, -1, torch::kInt64);
  sample_experts(logit_TE, 0, stream.at(0), tokens, expert_T2);
  const auto share = [&](std::int64_t column, std::int64_t expert) {
    return (expert_T2.select(1, column) == expert).to(torch::kFloat64).mean().item<double>();
  };
  // Deviations of a share are at most sqrt(.25 / 100000) = .0016; 4 of them are .0064.
  CHECK(share(0, 0) == Approx(.574097).margin(.0064));
  CHECK(share(0, 1) == Approx(.348207).margin(.0064));

  expert_T2.select(1, 0).fill_(0);
  sample_experts(logit_TE, 1, stream.at(1), tokens, expert_T2);
  CHECK(share(1, 0) == 0);
  CHECK(share(1, 1) == Approx(.817574).margin(.005));
  CHECK(share(1, 2) == Approx(.182426).margin(.005));
}

TEST_CASE(
    "a gate's first weights are N(0, 0.02), differ by layer and seed, and do not depend on the number of experts") {
  const torch::Tensor weight_ED = make_gate_weight(16, {.width = 256});
  CHECK(weight_ED.mean().item<double>() == Approx(0).margin(4 * .02 / 64));
  CHECK(weight_ED.std().item<double>() == Approx(.02).margin(.001));
  CHECK(weight_ED.equal(make_gate_weight(16, {.width = 256})));
  CHECK_FALSE(weight_ED.equal(make_gate_weight(16, {.width = 256, .layer = 1})));
  CHECK_FALSE(weight_ED.equal(make_gate_weight(16, {.width = 256, .seed = 2})));
  CHECK(weight_ED.slice(0, 0, 4).equal(make_gate_weight(4, {.width = 256})));
}

TEST_CASE("streams differ by everything that names them, and a draw stands for the step at evaluation") {
  const RouterContext context;
  const auto bits = [](const RouterContext& of_layer, const Tokens& tokens) {
    return call_stream(StreamTag::random_route, of_layer, tokens).bits();
  };
  Tokens tokens = one_sentence(3);
  const std::uint64_t base = bits(context, tokens);
  CHECK(bits({.layer = 1}, tokens) != base);
  CHECK(bits({.seed = 2}, tokens) != base);
  CHECK(call_stream(StreamTag::thor_train, context, tokens).bits() != base);

  Tokens other = tokens;
  other.call.forward_pass = 1;
  CHECK(bits(context, other) != base);
  other = tokens;
  other.call.step = 1;
  CHECK(bits(context, other) != base);
  other = tokens;
  other.call.sample = 1;
  CHECK(bits(context, other) == base);

  other.call.phase = Phase::evaluate;
  const std::uint64_t evaluation = bits(context, other);
  CHECK(evaluation != base);
  other.call.step = 7;
  CHECK(bits(context, other) == evaluation);
  other.call.sample = 2;
  CHECK(bits(context, other) != evaluation);
}

TEST_CASE("a token's stream depends on its sentence and position, not on its row") {
  const RandomStream parent(1);
  const Tokens batch = make_tokens({{4, {1, 2}}, {9, {1, 2, 3}}});
  const Tokens alone = make_tokens({{9, {1, 2, 3}}});
  CHECK(token_stream(parent, batch, 4).bits() == token_stream(parent, alone, 1).bits());
  CHECK(token_stream(parent, batch, 4).bits() != token_stream(parent, batch, 1).bits());
  CHECK(token_stream(parent, batch, 4).bits() != token_stream(parent, batch, 5).bits());
}

}  // namespace moe
