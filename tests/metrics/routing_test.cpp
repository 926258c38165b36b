#include "metrics/routing.h"

#include "core/error.h"
#include "core/random.h"
#include "tests/support/catch.h"

#include <cmath>
#include <map>

namespace moe {
namespace {

using Rows = std::vector<std::vector<double>>;

RoutingCounts small_counts() {
  RoutingCounts counts;
  counts.load = {4, 1, 1};
  counts.direction_load = {{3, 1, 0}, {1, 0, 1}};
  counts.tokens = 4;
  counts.choices = 8;
  counts.dropped = 2;
  counts.fully_dropped = 1;
  counts.skipped = 2;
  counts.confidence_sum = 3.0;
  counts.has_confidence = true;
  counts.choice = {0, 0, 1, 2};
  counts.together = {{0, 2, 0}, {2, 0, 1}, {0, 1, 0}};
  return counts;
}

/// One token of a simulated evaluation: its direction, the experts that kept it, and how many choices found no slot.
struct Token {
  std::size_t direction;
  std::vector<std::size_t> experts;
  std::int64_t dropped;
};

std::vector<Token> random_tokens(std::size_t experts, RandomStream stream) {
  std::vector<Token> tokens;
  for (std::int64_t t = 0; t < 20; ++t) {
    Token token{static_cast<std::size_t>(stream.at(t).at(0).below(2)), {}, stream.at(t).at(1).below(2)};
    for (std::size_t e = 0; e < experts; ++e) {
      if (stream.at(t).at(2).at(static_cast<std::int64_t>(e)).below(3) == 0) token.experts.push_back(e);
    }
    if (token.experts.empty()) token.dropped += 1;
    tokens.push_back(token);
  }
  return tokens;
}

RoutingCounts count(const std::vector<Token>& tokens, std::size_t experts) {
  RoutingCounts counts;
  counts.load.resize(experts);
  counts.direction_load.assign(2, std::vector<std::int64_t>(experts));
  for (const Token& token : tokens) {
    for (const std::size_t e : token.experts) {
      ++counts.load[e];
      ++counts.direction_load[token.direction][e];
    }
    ++counts.tokens;
    counts.choices += static_cast<std::int64_t>(token.experts.size()) + token.dropped;
    counts.dropped += token.dropped;
    counts.fully_dropped += token.experts.empty() ? 1 : 0;
  }
  return counts;
}

}  // namespace

TEST_CASE("every count is handed on as JSON and added up") {
  const RoutingCounts counts = small_counts();
  // Every member has its place here, so that a new one does not compile until it is counted below too.
  [[maybe_unused]] const auto& [load, direction_load, tokens, choices, dropped, fully_dropped, skipped, confidence_sum,
                                has_confidence, choice, together] = counts;
  const nlohmann::json json = counts;
  CHECK(json.size() == 11);
  RoutingCounts twice = json.get<RoutingCounts>();
  CHECK(nlohmann::json(twice) == json);
  add_counts(counts, twice);
  const nlohmann::json sum = twice;
  for (const auto& [key, value] : json.items()) {
    INFO(key);
    if (key != "has_confidence") CHECK(sum[key] != value);
  }
}

TEST_CASE("routing figures of a small load") {
  const RoutingFigures figures = routing_metrics(small_counts(), {{2, 0, 0, 2}, {0, 1, 1, 0}});
  CHECK(figures.load[0] == Approx(4.0 / 6));
  CHECK(figures.load[2] == Approx(1.0 / 6));
  CHECK(figures.coefficient_of_variation == Approx(std::sqrt(2.0) / 2));  // deviations 2, -1, -1
  CHECK(figures.maximum_over_mean == 2.0);
  CHECK(figures.entropy == Approx(0.867563));  // 2/3 ln 1.5 + 1/3 ln 6
  CHECK(figures.dead_experts == 0);
  CHECK(figures.dropped == 0.25);
  CHECK(figures.fully_dropped == 0.25);
  CHECK(figures.skipped == 0.5);
  CHECK(figures.confidence == 0.75);
  CHECK(figures.direction_load == Rows{{0.75, 0.25, 0.0}, {0.5, 0.0, 0.5}});
  CHECK(figures.flip_rate == 0.5);
  CHECK(figures.saturation == std::vector<double>{0.5, 0.5});
  CHECK(figures.co_activation == Rows{{0.0, 0.5, 0.0}, {0.5, 0.0, 0.25}, {0.0, 0.25, 0.0}});
}

TEST_CASE("without a gate there is no confidence, without an earlier evaluation no flip rate") {
  RoutingCounts counts = small_counts();
  counts.has_confidence = false;
  const RoutingFigures figures = routing_metrics(counts, {});
  CHECK_FALSE(figures.confidence.has_value());
  CHECK_FALSE(figures.flip_rate.has_value());
  CHECK(figures.saturation.empty());
}

TEST_CASE("a mean of probabilities that were rounded up is still none above 1") {
  RoutingCounts counts = small_counts();
  counts.confidence_sum = 4.0000005;  // of 4 tokens
  CHECK(routing_metrics(counts, {}).confidence == 1.0);
}

TEST_CASE("where no token has two experts there is no co-activation") {
  RoutingCounts counts = small_counts();
  counts.together = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  CHECK_FALSE(routing_metrics(counts, {}).co_activation.has_value());
}

TEST_CASE("an expert without a token is dead") {
  RoutingCounts counts = small_counts();
  counts.load = {6, 0, 0, 2};
  CHECK(routing_metrics(counts, {}).dead_experts == 2);
}

TEST_CASE("a layer that saw nothing has zeros, not NaN") {
  RoutingCounts counts;
  counts.load = {0, 0};
  counts.direction_load = {{0, 0}};
  counts.has_confidence = true;
  const RoutingFigures figures = routing_metrics(counts, {});
  CHECK(figures.load == std::vector<double>{0.0, 0.0});
  CHECK(figures.coefficient_of_variation == 0.0);
  CHECK(figures.maximum_over_mean == 0.0);
  CHECK(figures.entropy == 0.0);
  CHECK(figures.dropped == 0.0);
  CHECK_FALSE(figures.confidence.has_value());
}

TEST_CASE("choices of different evaluations cannot be compared") {
  CHECK_THROWS_WITH(routing_metrics(small_counts(), {{0, 1}}),
                    "Choices of 4 tokens cannot be compared with those of 2.");
}

TEST_CASE("figures agree with loops over the tokens themselves") {
  for (std::int64_t trial = 0; trial < 20; ++trial) {
    CAPTURE(trial);
    const std::size_t experts = 2 + static_cast<std::size_t>(RandomStream(1).at(trial).below(5));
    const std::vector<Token> tokens = random_tokens(experts, RandomStream(2).at(trial));
    const RoutingFigures figures = routing_metrics(count(tokens, experts), {});

    std::vector<double> load;
    double pairs = 0, dropped = 0, lost = 0;
    for (std::size_t e = 0; e < experts; ++e) {
      double of_expert = 0;
      for (const Token& token : tokens)
        of_expert += static_cast<double>(std::count(token.experts.begin(), token.experts.end(), e));
      load.push_back(of_expert);
      pairs += of_expert;
    }
    for (const Token& token : tokens) {
      dropped += static_cast<double>(token.dropped);
      lost += token.experts.empty() ? 1 : 0;
    }
    const double average = pairs / static_cast<double>(experts);
    double variance = 0, entropy = 0, largest = 0;
    for (std::size_t e = 0; e < experts; ++e) {
      CHECK(figures.load[e] == Approx(load[e] / pairs));
      variance += (load[e] - average) * (load[e] - average) / static_cast<double>(experts);
      if (load[e] > 0) entropy -= load[e] / pairs * std::log(load[e] / pairs);
      largest = std::max(largest, load[e]);
    }
    CHECK(figures.coefficient_of_variation == Approx(std::sqrt(variance) / average));
    CHECK(figures.entropy == Approx(entropy));
    CHECK(figures.maximum_over_mean == Approx(largest / average));
    CHECK(figures.dropped == Approx(dropped / (pairs + dropped)));
    CHECK(figures.fully_dropped == Approx(lost / 20));
  }
}

}  // namespace moe
