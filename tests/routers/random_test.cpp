#include "tests/routers/fixture.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/support/tokens.h"

namespace moe {
namespace {

RoutingPlan route_at_random(Router& router, const Tokens& tokens) {
  return router.route(torch::zeros({tokens.count(), 2}), tokens);
}

}  // namespace

TEST_CASE("each expert gets its share of the draws") {
  const auto router = build("random");
  const RoutingPlan plan = route_at_random(*router, one_sentence(40000));
  for (std::int64_t e = 0; e < 4; ++e) {
    CHECK(std::abs(static_cast<double>(plan.assignment.load(e)) - 10000) <=
          350);  // 4 deviations of sqrt(40000 * 3 / 16) = 86.6
  }
  CHECK_FALSE(plan.assignment.weight_M.defined());
}

TEST_CASE("layers draw independently of each other, and so do steps and passes") {
  constexpr std::int64_t count = 10000;
  const Tokens tokens = one_sentence(count);
  const auto choices = [](std::int64_t layer, const Tokens& of_call) {
    return route_at_random(*build("random", {{"experts", 2}}, {.layer = layer}), of_call).statistics.choice_T;
  };
  // Chi-square of the four pairs, three degrees of freedom; 21.1 is passed by chance once in 10,000.
  const auto chi_square = [&](const torch::Tensor& one, const torch::Tensor& other) {
    double sum = 0;
    for (std::int64_t pair = 0; pair < 4; ++pair) {
      const auto seen = (2 * one + other == pair).sum().item<double>();
      sum += (seen - count / 4.0) * (seen - count / 4.0) / (count / 4.0);
    }
    return sum;
  };
  Tokens next_step = tokens;
  next_step.call.step = 1;
  Tokens next_pass = tokens;
  next_pass.call.forward_pass = 1;
  CHECK(chi_square(choices(0, tokens), choices(1, tokens)) < 21.1);
  CHECK(chi_square(choices(0, tokens), choices(0, next_step)) < 21.1);
  CHECK(chi_square(choices(0, tokens), choices(0, next_pass)) < 21.1);
}

TEST_CASE("granularity says what shares a draw") {
  std::vector<TestSentence> sentences;
  for (std::int64_t index = 0; index < 50; ++index) sentences.push_back({index, {1, 1, 1, 1}});
  const Tokens tokens = make_tokens(sentences);
  const auto choices = [&](const char* granularity) {
    return route_at_random(*build("random", {{"granularity", granularity}}), tokens)
        .statistics.choice_T.reshape({50, 4});
  };
  const auto experts_of_first_row_alone = [](const torch::Tensor& choice_BT) {
    return (choice_BT == choice_BT.slice(1, 0, 1)).all().item<bool>();
  };
  CHECK_FALSE(experts_of_first_row_alone(choices("token")));
  CHECK(experts_of_first_row_alone(choices("sentence")));
  CHECK(std::get<0>(at::_unique(choices("sentence"))).numel() == 4);
  CHECK(std::get<0>(at::_unique(choices("batch"))).numel() == 1);
}

TEST_CASE("evaluation draws as training did, unless another way is asked for") {
  std::vector<TestSentence> sentences;
  for (std::int64_t index = 0; index < 50; ++index) sentences.push_back({index, {1, 1, 1, 1}});
  const Tokens tokens = make_tokens(sentences, 0, Phase::evaluate);
  const auto choices = [&](const Json& options) {
    return route_at_random(*build("random", options), tokens).statistics.choice_T;
  };
  CHECK(choices(Json::object()).equal(choices({{"inference", "token"}})));
  CHECK(choices({{"granularity", "sentence"}}).equal(choices({{"inference", "sentence"}})));
  CHECK(std::get<0>(at::_unique(choices({{"granularity", "batch"}}))).numel() == 1);
  CHECK(choices({{"inference", "fixed:3"}}).equal(torch::full({200}, 3, torch::kInt64)));
  CHECK(route_at_random(*build("random", {{"inference", "mean"}}), tokens).assignment.count() == 800);
}

TEST_CASE("an unknown way to evaluate is an error") {
  CHECK_THROWS_WITH(
      build("random", {{"inference", "fixed:4"}}),
      "test: strategy.inference: \"fixed:4\" names no expert; with 4 experts, allowed is fixed:0 to fixed:3.");
}

}  // namespace moe
