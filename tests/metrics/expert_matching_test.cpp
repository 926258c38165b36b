#include "metrics/expert_matching.h"

#include "core/error.h"
#include "core/random.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <numeric>

namespace moe {
namespace {

using Gains = std::vector<std::vector<double>>;

double sum_of(const Gains& gain, const std::vector<std::size_t>& match) {
  double sum = 0;
  for (std::size_t i = 0; i < match.size(); ++i) sum += gain[i][match[i]];
  return sum;
}

/// The largest sum over all ways to match.
double best_sum(const Gains& gain) {
  std::vector<std::size_t> match(gain.size());
  std::iota(match.begin(), match.end(), 0);
  double best = sum_of(gain, match);
  while (std::next_permutation(match.begin(), match.end())) best = std::max(best, sum_of(gain, match));
  return best;
}

}  // namespace

TEST_CASE("a matching gives up the best pair where that is better for all") {
  // Greedily 10 + 0; 9 + 9 is more.
  CHECK(best_matching({{10, 9}, {9, 0}}) == std::vector<std::size_t>{1, 0});
  CHECK(best_matching({}).empty());
  CHECK(best_matching({{-3}}) == std::vector<std::size_t>{0});
  CHECK_THROWS_AS(best_matching({{1, 2}}), Error);
}

TEST_CASE("no way to match has a larger sum, ties and negative gains included") {
  for (int trial = 0; trial < 200; ++trial) {
    const RandomStream stream = RandomStream(7).at(trial);
    const auto size = static_cast<std::size_t>(1 + trial % 6);
    Gains gain(size, std::vector<double>(size));
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t k = 0; k < size; ++k) gain[i][k] = static_cast<double>(stream.at(i).at(k).below(9)) - 4;
    }
    const std::vector<std::size_t> match = best_matching(gain);
    std::vector<std::size_t> columns = match;
    std::sort(columns.begin(), columns.end());
    for (std::size_t i = 0; i < size; ++i) REQUIRE(columns[i] == i);
    REQUIRE(sum_of(gain, match) == best_sum(gain));
  }
}

TEST_CASE("experts with other numbers are the same experts") {
  const auto agreement = routing_agreement({0, 0, 1, 2, 2, 2}, {2, 2, 0, 1, 1, 0}, 3);
  REQUIRE(agreement.has_value());
  CHECK(agreement->tokens == 6);
  CHECK(agreement->share == Approx(5.0 / 6));  // the last token went elsewhere
  CHECK(agreement->chance == Approx((1 * 2 + 2 * 2 + 3 * 2) / 36.0));
}

TEST_CASE("a token that one of them gave no expert is left out") {
  const auto agreement = routing_agreement({0, -1, 1}, {1, 0, -1}, 2);
  REQUIRE(agreement.has_value());
  CHECK(agreement->tokens == 1);
  CHECK(agreement->share == 1);
  CHECK_FALSE(routing_agreement({-1}, {0}, 2).has_value());
  CHECK_THROWS_AS(routing_agreement({0}, {0, 1}, 2), Error);
  CHECK_THROWS_AS(routing_agreement({2}, {0}, 2), Error);
}

}  // namespace moe
