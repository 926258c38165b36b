#include "core/error.h"
#include "routers/gating.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moe {
namespace {

/// The two losses of Fixture A without noise in the importance, weighted by 1 and 0 or 0 and 1.
double router_loss(const Json& options, const Tokens& tokens) {
  const auto router = build_on_logits("noisy_top_k", 3, options);
  return router->route(fixture_logits(), tokens).losses.own.item<double>();
}

double normal_tail(double z) {
  return 0.5 * std::erfc(z / std::numbers::sqrt2);
}

}  // namespace

TEST_CASE("the importance of Fixture A by both variances") {
  Json options = {{"importance_loss", 1}, {"load_loss", 0}};
  CHECK(router_loss(options, one_sentence(6)) == Approx(.185789).margin(1e-5));
  options["variance"] = "unbiased";
  CHECK(router_loss(options, one_sentence(6)) == Approx(.278684).margin(1e-5));
}

TEST_CASE("the load is how often clean logits and new noise would reach the k-th noisy logit") {
  const auto router = build_on_logits("noisy_top_k", 3, {{"importance_loss", 0}, {"load_loss", 1}, {"noise", 3}});
  const Tokens tokens = one_sentence(6);
  const RoutingPlan plan = router->route(fixture_logits(), tokens);
  // The noisy logits follow from the two noisy weights of a token and its clean logits only up to a constant, so the
  // definition is computed on the gate's own noisy scores.
  const GateScores scores = softmax_gate(fixture_logits(), torch::eye(3), {.normal = 3}, {.width = 3}, tokens);
  std::vector<double> load(3);
  for (std::int64_t t = 0; t < 6; ++t) {
    std::vector<double> noisy;
    for (std::int64_t e = 0; e < 3; ++e) noisy.push_back(scores.logit_TE[t][e].item<double>());
    std::sort(noisy.begin(), noisy.end());
    for (std::int64_t e = 0; e < 3; ++e) {
      const double needed = noisy[1] - fixture_logits()[t][e].item<double>();  // the second of three; deviation 3 / 3
      load[static_cast<std::size_t>(e)] += normal_tail(needed);
    }
  }
  const double mean = (load[0] + load[1] + load[2]) / 3;
  double variance = 0;
  for (const double l : load) variance += (l - mean) * (l - mean) / 3;
  CHECK(plan.losses.own.item<double>() == Approx(variance / (mean * mean)).epsilon(1e-4));
}

TEST_CASE("noise is drawn in training alone, moves choices, and leaves z-loss and figures clean") {
  const auto router = build_on_logits("noisy_top_k", 3, {{"k", 1}, {"noise", 6}});
  constexpr std::int64_t count = 2000;
  const torch::Tensor x_TD = torch::tensor({{1.0F, 0.0F, 0.0F}}).expand({count, 3});
  const RoutingPlan evaluated = router->route(x_TD, one_sentence(count, Phase::evaluate));
  CHECK(evaluated.assignment.load(0) == count);
  CHECK_FALSE(evaluated.losses.own.defined());
  const RoutingPlan trained = router->route(x_TD, one_sentence(count));
  // Expert 1 wins when n1 exceeds 1 + n0 and n2 of three N(0, 4): between a sixth and a third.
  CHECK(trained.assignment.load(1) > count / 6);
  CHECK(trained.assignment.load(1) < count / 3);
  CHECK(trained.statistics.logit_TE.equal(evaluated.statistics.logit_TE));
  CHECK(trained.losses.z.item<double>() == Approx(evaluated.losses.z.item<double>()));
}

TEST_CASE("padding is in neither loss") {
  Tokens tokens = one_sentence(6);
  make_padding(tokens, 5);
  torch::Tensor changed_TD = fixture_logits();
  changed_TD[5] = torch::tensor({-3.0F, 9.0F, 4.0F});
  const auto router = build_on_logits("noisy_top_k", 3);
  CHECK(router->route(changed_TD, tokens).losses.own.equal(router->route(fixture_logits(), tokens).losses.own));
  for (int row = 0; row < 5; ++row) make_padding(tokens, row);
  CHECK(router->route(fixture_logits(), tokens).losses.own.item<double>() == 0);
}

TEST_CASE("the gradient of both losses agrees with central differences in float64") {
  const auto router = build_on_logits("noisy_top_k", 3, {{"importance_loss", 1}, {"load_loss", 1}});
  const Tokens tokens = one_sentence(6);
  const auto loss = [&](const torch::Tensor& x_TD) { return router->route(x_TD, tokens).losses.own; };
  CHECK(gradient_error(loss, fixture_logits(torch::kFloat64)) < 1e-6);
}

TEST_CASE("the load loss without noise is refused") {
  ConfigErrors errors;
  find_router("noisy_top_k").resolve({{"noise", 0}}, "strategy", errors);
  REQUIRE(errors.sentences().size() == 1);
  CHECK(errors.sentences()[0] == "strategy.load_loss: the load loss needs noise above 0.");
}

}  // namespace moe
