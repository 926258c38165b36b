#include "routers/balanced_assignment.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

#include <algorithm>
#include <limits>

namespace moe {
namespace {

torch::Tensor affinities() {
  return torch::tensor({{3.0, 1.0}, {2.0, 1.9}, {2.5, 0.0}, {1.0, 0.9}});
}

double total(const torch::Tensor& affinity_TE, const torch::Tensor& expert_T1) {
  return affinity_TE.gather(1, expert_T1).sum(torch::kFloat64).item<double>();
}

/// The best total over all assignments whose loads differ by at most one, by trying all.
double best_total(const torch::Tensor& affinity_TE) {
  const std::int64_t S = affinity_TE.size(0), E = affinity_TE.size(1);
  std::vector<std::int64_t> expert(static_cast<std::size_t>(S), 0);
  double best = -std::numeric_limits<double>::infinity();
  while (true) {
    std::vector<std::int64_t> load(static_cast<std::size_t>(E), 0);
    for (const std::int64_t e : expert) ++load[static_cast<std::size_t>(e)];
    const auto [least, most] = std::minmax_element(load.begin(), load.end());
    if (*most - *least <= 1) best = std::max(best, total(affinity_TE, torch::tensor(expert).unsqueeze(1)));
    std::size_t digit = 0;
    while (digit < expert.size() && ++expert[digit] == E) expert[digit++] = 0;
    if (digit == expert.size()) return best;
  }
}

torch::Tensor random_affinities(std::int64_t tokens, std::int64_t experts, std::int64_t trial) {
  torch::Tensor affinity = torch::empty({tokens, experts});
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t e = 0; e < experts; ++e) {
      // Every other trial has few different values, so many ties.
      const RandomStream stream = RandomStream(5).at(trial).at(t).at(e);
      affinity[t][e] = trial % 2 == 0 ? stream.normal() : static_cast<double>(stream.below(3));
    }
  }
  return affinity;
}

std::vector<std::int64_t> loads(const torch::Tensor& expert_T1, std::int64_t experts) {
  const torch::Tensor load_E = expert_T1.flatten().bincount({}, experts);
  return {load_E.const_data_ptr<std::int64_t>(), load_E.const_data_ptr<std::int64_t>() + experts};
}

}  // namespace

TEST_CASE("four tokens, two experts: {0, 2} to expert 0 for a total of 8.3; greedy sends all to expert 0") {
  const auto router = build_on_logits("base", 2);
  const RoutingPlan plan = router->route(affinities(), one_sentence(4));
  CHECK(plan.statistics.choice_T.equal(torch::tensor({0, 1, 0, 1}, torch::kInt64)));
  CHECK(total(affinities(), plan.statistics.choice_T.unsqueeze(1)) == Approx(8.3));
  // Pairs by expert: tokens 0 and 2, then 1 and 3.
  CHECK(all_close(plan.assignment.weight_M, torch::tensor({.952574, .924142, .869892, .710950})));
  CHECK(router->route(affinities(), one_sentence(4, Phase::evaluate))
            .statistics.choice_T.equal(torch::zeros({4}, torch::kInt64)));
}

TEST_CASE("the assignment is the best there is, with loads that differ by at most one") {
  const std::vector<std::pair<std::int64_t, std::int64_t>> sizes = {{8, 2}, {7, 3}, {5, 2}, {6, 3}, {8, 3},
                                                                    {4, 4}, {3, 4}, {6, 4}, {1, 3}};
  for (const auto& [tokens, experts] : sizes) {
    for (std::int64_t trial = 0; trial < 30; ++trial) {
      CAPTURE(tokens, experts, trial);
      const torch::Tensor affinity = random_affinities(tokens, experts, trial);
      const torch::Tensor expert_T1 = balanced_assignment(affinity, one_sentence(tokens));
      const std::vector<std::int64_t> load = loads(expert_T1, experts);
      CHECK(*std::max_element(load.begin(), load.end()) - *std::min_element(load.begin(), load.end()) <= 1);
      CHECK(total(affinity, expert_T1) == Approx(best_total(affinity)).margin(1e-5));
    }
  }
}

TEST_CASE("affinities that are no numbers hang nothing and count as the smallest") {
  torch::Tensor affinity = affinities();
  affinity[1][0] = std::numeric_limits<float>::quiet_NaN();
  affinity[3][1] = -std::numeric_limits<float>::infinity();
  const torch::Tensor expert_T1 = balanced_assignment(affinity, one_sentence(4));
  CHECK(loads(expert_T1, 2) == std::vector<std::int64_t>{2, 2});
  CHECK(expert_T1[1][0].item<std::int64_t>() == 1);
  const torch::Tensor nothing = torch::full({6, 3}, std::numeric_limits<float>::quiet_NaN());
  CHECK(loads(balanced_assignment(nothing, one_sentence(6)), 3) == std::vector<std::int64_t>{2, 2, 2});
}

TEST_CASE("all tokens alike are shared out evenly") {
  CHECK(loads(balanced_assignment(torch::ones({1000, 16}), one_sentence(1000)), 16)[0] >= 62);
  const auto load = loads(balanced_assignment(torch::arange(16).expand({1000, 16}), one_sentence(1000)), 16);
  CHECK(*std::max_element(load.begin(), load.end()) == 63);
}

TEST_CASE("padding is assigned nowhere and takes no expert's place") {
  Tokens tokens = one_sentence(4);
  make_padding(tokens, 1);
  const torch::Tensor expert_T1 = balanced_assignment(affinities(), tokens);
  CHECK(expert_T1.flatten().equal(torch::tensor({0, -1, 0, 1}, torch::kInt64)));
}

TEST_CASE("a stack of nets is of residual ones") {
  CHECK_THROWS_WITH(build("base", {{"sublayers", 2}}),
                    "test: strategy.sublayers: a stack is of residual nets, so `residual` must be true.");
  const ExpertLayout layout = build("base", {{"experts", 3}, {"residual", true}, {"sublayers", 2}})->layout();
  CHECK(layout.count == 6);
  CHECK(layout.active == 2);
}

TEST_CASE("centroids start orthogonal, each of length 0.1") {
  RouterContext context{.width = 8};
  const torch::Tensor weight_ED = build("base", {{"experts", 3}}, context)->named_parameters()["weight"];
  CHECK(all_close(weight_ED.matmul(weight_ED.t()), 0.01 * torch::eye(3), 1e-6));
}

TEST_CASE("a stack's nets follow each other, each behind its own norm, and see the outputs without their weight") {
  const auto router = build_on_logits("base", 2, {{"residual", true}, {"sublayers", 2}});
  const torch::NoGradGuard no_gradient;
  router->named_parameters()["norm.bias"].copy_(torch::arange(8).view({4, 2}));  // tells the nets apart
  const auto unit = [](const torch::Tensor& rows) { return torch::layer_norm(rows, {2}); };
  const RoutingPlan first = router->route(affinities(), one_sentence(4));
  CHECK(first.assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 2, 4, 4, 4});
  CHECK(all_close(first.io.input_TD, unit(affinities()) + torch::tensor({{0, 1}, {2, 3}, {0, 1}, {2, 3}})));

  const torch::Tensor weight_T1 = torch::tensor({{.952574}, {.869892}, {.924142}, {.710950}});
  const torch::Tensor output_TD = torch::tensor({{1.0, 5.0}, {0.0, 3.0}, {-2.0, 1.0}, {4.0, 4.5}});
  const auto second = router->next_round(affinities(), output_TD * weight_T1, one_sentence(4), first);
  REQUIRE(second.has_value());
  CHECK(second->assignment.expert_offsets.host() == std::vector<std::int64_t>{0, 0, 0, 2, 4});
  CHECK(second->assignment.weight_M.equal(first.assignment.weight_M));
  CHECK(all_close(second->io.input_TD, unit(affinities() + output_TD) + torch::tensor({{4, 5}, {6, 7}, {4, 5}, {6, 7}}),
                  1e-4));
  CHECK_FALSE(router->next_round(affinities(), output_TD, one_sentence(4), *second).has_value());
}

TEST_CASE("a token whose weight underflows to 0 goes on through the stack with finite numbers") {
  const auto router = build_on_logits("base", 2, {{"residual", true}, {"sublayers", 2}});
  const torch::Tensor state_TD = torch::tensor({{-200.0, -201.0}, {1.0, 2.0}}).requires_grad_(true);
  const torch::Tensor output_TD = torch::tensor({{1.0, 5.0}, {0.0, 3.0}}).requires_grad_(true);
  const RoutingPlan first = router->route(state_TD, one_sentence(2));
  REQUIRE(first.assignment.token_M.equal(torch::tensor({0, 1}, torch::kInt64)));
  CHECK(first.assignment.weight_M[0].item<double>() == 0);  // sigmoid(-200)

  const torch::Tensor y_TD = output_TD * first.assignment.weight_M.unsqueeze(1);
  const auto second = router->next_round(state_TD, y_TD, one_sentence(2), first);
  REQUIRE(second.has_value());
  // Nothing of the first net's output is left of token 0, all of it of token 1: {1, 2} + {0, 3}.
  const torch::Tensor seen_TD = torch::tensor({{-200.0, -201.0}, {1.0, 5.0}});
  CHECK(all_close(second->io.input_TD, torch::layer_norm(seen_TD, {2}), 1e-4));

  const torch::Tensor upstream_TD = torch::tensor({{1.0, 20.0}, {3.0, -40.0}});
  (second->io.input_TD * upstream_TD).sum().backward();
  CHECK(state_TD.grad().isfinite().all().item<bool>());
  CHECK(output_TD.grad().isfinite().all().item<bool>());
  CHECK(output_TD.grad()[0].eq(0).all().item<bool>());
  for (const torch::Tensor& parameter : router->parameters()) {
    if (parameter.grad().defined()) CHECK(parameter.grad().isfinite().all().item<bool>());
  }
}

}  // namespace moe
