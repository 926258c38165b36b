#include "metrics/comparison/hypothesis_tests.h"

#include "core/error.h"
#include "core/random.h"
#include "tests/metrics/scipy_cases.h"
#include "tests/support/catch.h"

#include <cmath>
#include <functional>
#include <limits>

namespace moe {
namespace {

double number(const Json& one, const char* key) {
  return one.at(key).get<double>();
}

std::vector<double> numbers(const Json& one, const char* key) {
  return one.at(key).get<std::vector<double>>();
}

std::optional<int> count_of(const Json& one) {
  return one.at("count").is_null() ? std::nullopt : std::optional(one.at("count").get<int>());
}

/// Share of made-up samples of normal values whose p is at most `level`.
double share_rejected(double effect, double deviation, int count, double level,
                      const std::function<double(const std::vector<double>&)>& p) {
  const int samples = 20000;
  int rejected = 0;
  for (int sample = 0; sample < samples; ++sample) {
    std::vector<double> values;
    for (int i = 0; i < count; ++i) {
      values.push_back(effect + deviation * RandomStream(5).at(sample).at(i).normal());
    }
    if (p(values) <= level) ++rejected;
  }
  return static_cast<double>(rejected) / samples;
}

/// A share of 20,000 samples is off by more than four standard errors once in 16,000 times.
Approx share_near(double probability) {
  return Approx(probability).margin(4 * std::sqrt(probability * (1 - probability) / 20000));
}

}  // namespace

TEST_CASE("the t test of three values has a closed form", "[metrics][hypothesis_tests]") {
  // Two degrees of freedom: two-sided p = 1 - t / sqrt(2 + t^2), and t = 2 / (1 / sqrt(3)).
  const double p = 1 - std::sqrt(12.0 / 14);
  CHECK(t_test_p({1, 2, 3}, 0) == Approx(p).epsilon(1e-12));
  CHECK(t_test_p({1, 2, 3}, 4) == Approx(p).epsilon(1e-12));
  CHECK(t_test_p({1, 2, 3}, 2) == Approx(1));
  CHECK(equivalence_p({-1, 0, 1}, 2) == Approx(p / 2).epsilon(1e-12));
  CHECK(equivalence_p({0, 1, 2}, 3) == Approx(p / 2).epsilon(1e-12));  // the nearer bound, 2 away
  CHECK(equivalence_p({0, 1, 2}, 1) == Approx(0.5));
}

TEST_CASE("values without any spread are sure", "[metrics][hypothesis_tests]") {
  CHECK(t_test_p({0.1, 0.1, 0.1}, 0.1) == 1);  // although three times 0.1 over 3 isn't 0.1 to a computer
  CHECK(t_test_p({0.1, 0.1, 0.1}, 0) == 0);
  CHECK(equivalence_p({0.1, 0.1, 0.1}, 0.2) == 0);
  CHECK(equivalence_p({0.1, 0.1, 0.1}, 0.1) == 1);
  CHECK_THROWS_AS(t_test_p({1}, 0), Error);
  CHECK_THROWS_AS(equivalence_p({1}, 0), Error);
  CHECK_THROWS_AS(equivalence_p({1, 2}, -1), Error);
}

TEST_CASE("t tests and equivalence tests agree with SciPy and statsmodels", "[metrics][hypothesis_tests]") {
  for (const Json& one : scipy_cases("samples")) {
    INFO(one.dump());
    CHECK(t_test_p(numbers(one, "values"), number(one, "expected")) == scipy_value(one, "t_test_p"));
    CHECK(equivalence_p(numbers(one, "values"), number(one, "delta")) == scipy_value(one, "equivalence_p"));
  }
}

TEST_CASE("Holm's correction by hand and by statsmodels", "[metrics][hypothesis_tests]") {
  // Ascending 0.01 * 4, 0.015 * 3 = 0.045, 0.02 * 2 = 0.04 raised to 0.045, 0.7 * 1.
  const std::vector<double> adjusted = holm_adjusted({0.02, 0.7, 0.01, 0.015});
  CHECK(adjusted[0] == Approx(0.045));
  CHECK(adjusted[1] == Approx(0.7));
  CHECK(adjusted[2] == Approx(0.04));
  CHECK(adjusted[3] == Approx(0.045));
  CHECK(holm_adjusted({0.6, 0.8}) == std::vector<double>{1, 1});
  CHECK(holm_adjusted({}).empty());
  CHECK_THROWS_AS(holm_adjusted({0.5, 1.5}), Error);
  CHECK_THROWS_AS(holm_adjusted({std::numeric_limits<double>::quiet_NaN()}), Error);
  for (const Json& one : scipy_cases("corrections")) {
    INFO(one.dump());
    const std::vector<double> ours = holm_adjusted(numbers(one, "p"));
    const std::vector<double> theirs = numbers(one, "adjusted");
    REQUIRE(ours.size() == theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) CHECK(ours[i] == Approx(theirs[i]).epsilon(1e-9));
  }
}

TEST_CASE("powers agree with statsmodels' noncentral t and SciPy's quadrature", "[metrics][hypothesis_tests]") {
  for (const Json& one : scipy_cases("powers")) {
    INFO(one.dump());
    CHECK(t_test_power(number(one, "effect"), number(one, "deviation"), one.at("count"), number(one, "level")) ==
          Approx(number(one, "power")).epsilon(1e-9).margin(1e-9));
  }
  for (const Json& one : scipy_cases("equivalence_powers")) {
    INFO(one.dump());
    CHECK(equivalence_power(number(one, "effect"), number(one, "deviation"), one.at("count"), number(one, "delta"),
                            number(one, "level")) == Approx(number(one, "power")).epsilon(1e-9).margin(1e-9));
  }
}

TEST_CASE("powers are the shares of samples that reject", "[metrics][hypothesis_tests]") {
  const auto differs = [](const std::vector<double>& values) { return t_test_p(values, 0); };
  const auto equals = [](const std::vector<double>& values) { return equivalence_p(values, 0.5); };
  CHECK(share_rejected(0.4, 0.2, 3, 0.05, differs) == share_near(t_test_power(0.4, 0.2, 3, 0.05)));
  CHECK(share_rejected(0, 0.2, 3, 0.05, differs) == share_near(0.05));
  CHECK(share_rejected(0.1, 0.2, 3, 0.05, equals) == share_near(equivalence_power(0.1, 0.2, 3, 0.5, 0.05)));
  CHECK(share_rejected(0.5, 0.2, 6, 0.05, equals) == share_near(0.05));  // on the bound itself
}

TEST_CASE("powers at the ends of what can be asked", "[metrics][hypothesis_tests]") {
  CHECK(t_test_power(0, 1, 5, 0.05) == Approx(0.05));
  CHECK(t_test_power(-0.7, 1, 5, 0.05) == Approx(t_test_power(0.7, 1, 5, 0.05)));
  CHECK(t_test_power(1, 1e-12, 2, 0.05) == Approx(1));
  CHECK(t_test_power(1, 0, 2, 0.05) == 1);
  CHECK(t_test_power(0, 0, 2, 0.05) == 0);
  CHECK(equivalence_power(0, 1e-12, 2, 0.5, 0.05) == Approx(1));
  CHECK(equivalence_power(0.4, 0, 2, 0.5, 0.05) == 1);
  CHECK(equivalence_power(0.5, 0, 2, 0.5, 0.05) == 0);
  CHECK(equivalence_power(0, 1, 5, 0, 0.05) == 0);
  CHECK_THROWS_AS(t_test_power(1, 1, 1, 0.05), Error);
  CHECK_THROWS_AS(t_test_power(1, -1, 2, 0.05), Error);
  CHECK_THROWS_AS(t_test_power(1, 1, 2, 0), Error);
  CHECK_THROWS_AS(equivalence_power(0, 1, 2, -1, 0.05), Error);
}

TEST_CASE("the counts that reach a power are those of SciPy's quadrature", "[metrics][hypothesis_tests]") {
  for (const Json& one : scipy_cases("counts_for_power")) {
    INFO(one.dump());
    CHECK(count_for_power(number(one, "effect"), number(one, "deviation"), number(one, "level"), number(one, "power"),
                          one.at("most")) == count_of(one));
  }
  for (const Json& one : scipy_cases("counts_for_equivalence")) {
    INFO(one.dump());
    CHECK(count_for_equivalence(number(one, "effect"), number(one, "deviation"), number(one, "delta"),
                                number(one, "level"), number(one, "power"), one.at("most")) == count_of(one));
  }
  CHECK(count_for_power(1, 0, 0.05, 0.8, 50) == 2);
  CHECK_FALSE(count_for_power(0, 1, 0.05, 0.8, 50));
  CHECK_FALSE(count_for_equivalence(0.6, 0.1, 0.5, 0.05, 0.8, 50));
}

TEST_CASE("slopes by hand and by SciPy", "[metrics][hypothesis_tests]") {
  CHECK(slope({0, 1, 2}, {5, 7, 9}) == Approx(2));
  CHECK(slope({1, 2, 3}, {1, 0, 2}) == Approx(0.5));  // (-1 * 0 + 1 * 1) / 2
  CHECK_THROWS_AS(slope({1, 1}, {1, 2}), Error);
  CHECK_THROWS_AS(slope({}, {}), Error);
  CHECK_THROWS_AS(slope({1, 2}, {1}), Error);
  for (const Json& one : scipy_cases("slopes")) {
    INFO(one.dump());
    CHECK(slope(numbers(one, "x"), numbers(one, "y")) == scipy_value(one, "slope"));
  }
}

}  // namespace moe
