#include "metrics/divergence.h"

#include "tests/support/catch.h"

#include <cmath>

namespace moe {

TEST_CASE("distributions that are alike do not diverge, and those without a common thing do most") {
  CHECK(*jensen_shannon_divergence({{1, 3}, {2, 6}}) == Approx(0).margin(1e-12));  // scaled alike
  CHECK(*jensen_shannon_divergence({{1, 0}, {0, 5}}) == Approx(std::log(2.0)));
  CHECK(*relative_divergence({{1, 0, 0, 0}, {0, 1, 0, 0}}) == Approx(1));
  CHECK(*relative_divergence({{1, 0}, {0, 1}, {1, 1}}) == Approx(2.0 / 3));  // ln 2 less a third of ln 2, over ln 2
}

TEST_CASE("a divergence by hand") {
  // Mean (3/4, 1/4): entropy 0.562335; own entropies ln 2 and 0.
  CHECK(*jensen_shannon_divergence({{0.5, 0.5}, {1, 0}}) == Approx(0.562335 - std::log(2.0) / 2).epsilon(1e-5));
}

TEST_CASE("nothing diverges from nothing") {
  CHECK_FALSE(jensen_shannon_divergence({}).has_value());
  CHECK_FALSE(jensen_shannon_divergence({{1, 2}, {0, 0}}).has_value());
  CHECK_FALSE(relative_divergence({{1}, {1}}).has_value());
}

}  // namespace moe
