#include "training/undertrained.h"

#include "tests/support/catch.h"

#include <vector>

namespace moe {
namespace {

/// A curve from (update, validation loss) pairs.
Json curve(const std::vector<std::pair<int, double>>& points) {
  Json json = Json::array();
  for (const auto& [update, loss] : points) json.push_back({{"update", update}, {"valid_loss", loss}});
  return json;
}

}  // namespace

TEST_CASE("the improvement is the fall over the last fifth, as a share of the loss at its start") {
  // A validation stands at 0.8 of the updates.
  CHECK(*last_fifth_improvement(curve({{20, 9}, {40, 7}, {60, 5}, {80, 4}, {100, 3}})) == Approx(0.25));
  // 0.8 * 100 lies half way between 70 and 90: (4 + 2) / 2 = 3, and 3 -> 1.5 is a half.
  CHECK(*last_fifth_improvement(curve({{70, 4}, {90, 2}, {100, 1.5}})) == Approx(0.5));
  // A quarter of the way from 75 to 95: 4 - 0.25 * 2 = 3.5.
  CHECK(*last_fifth_improvement(curve({{75, 4}, {95, 2}, {100, 2.8}})) == Approx(0.2));
}

TEST_CASE("a loss that rises at the end is a negative improvement") {
  CHECK(*last_fifth_improvement(curve({{80, 2}, {100, 3}})) == Approx(-0.5));
}

TEST_CASE("without a validation before the last fifth the first one stands for its start") {
  CHECK(*last_fifth_improvement(curve({{90, 4}, {100, 3}})) == Approx(0.25));
}

TEST_CASE("a last point at a shorter distance than the others counts from its own update") {
  // 0.8 * 50 = 40.
  CHECK(*last_fifth_improvement(curve({{20, 8}, {40, 4}, {50, 3}})) == Approx(0.25));
}

TEST_CASE("fewer than two validations say nothing") {
  CHECK_FALSE(last_fifth_improvement(curve({})).has_value());
  CHECK_FALSE(last_fifth_improvement(curve({{100, 3}})).has_value());
}

TEST_CASE("a mean of weights lags behind by its loss above that of the last weights") {
  CHECK(lag_of_mean(2.2, 2.0) == Approx(0.1));
  CHECK(lag_of_mean(1.9, 2.0) == Approx(-0.05));
}

TEST_CASE("half a percent is the border") {
  CHECK(*last_fifth_improvement(curve({{80, 2}, {100, 1.98}})) > undertrained_above);
  CHECK(*last_fifth_improvement(curve({{80, 2}, {100, 1.992}})) < undertrained_above);
}

}  // namespace moe
