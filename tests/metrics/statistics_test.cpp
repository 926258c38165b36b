#include "metrics/statistics.h"

#include "core/error.h"
#include "tests/metrics/scipy_cases.h"
#include "tests/support/catch.h"

#include <cmath>
#include <limits>

namespace moe {

TEST_CASE("mean and sample deviation of a hand-checked row", "[metrics][statistics]") {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};  // squared deviations from 5 add up to 32
  CHECK(mean(values) == 5.0);
  CHECK(sample_deviation(values).value() == Approx(std::sqrt(32.0 / 7)));
  CHECK_THROWS_AS(mean({}), Error);
}

TEST_CASE("one value has neither deviation nor interval", "[metrics][statistics]") {
  CHECK_FALSE(sample_deviation({3.5}).has_value());
  CHECK_FALSE(interval_of_mean({3.5}).has_value());
}

TEST_CASE("Student's t quantiles agree with the printed tables", "[metrics][statistics]") {
  // Freedom 1 and 2 have closed forms: tan(pi (p - 1/2)) and (2p - 1) sqrt(2 / (1 - (2p - 1)^2)).
  CHECK(student_t_quantile(0.975, 1) == Approx(std::tan(std::acos(-1.0) * 0.475)).epsilon(1e-12));
  CHECK(student_t_quantile(0.975, 2) == Approx(0.95 * std::sqrt(2 / (1 - 0.95 * 0.95))).epsilon(1e-12));
  CHECK(student_t_quantile(0.975, 3) == Approx(3.182446).epsilon(1e-6));
  CHECK(student_t_quantile(0.975, 4) == Approx(2.776445).epsilon(1e-6));
  CHECK(student_t_quantile(0.975, 9) == Approx(2.262157).epsilon(1e-6));
  CHECK(student_t_quantile(0.975, 30) == Approx(2.042272).epsilon(1e-6));
  CHECK(student_t_quantile(0.025, 9) == Approx(-2.262157).epsilon(1e-6));
  CHECK(student_t_quantile(0.5, 7) == Approx(0.0).margin(1e-12));
  CHECK_THROWS_AS(student_t_quantile(0.975, 0), Error);
  CHECK_THROWS_AS(student_t_quantile(1.0, 3), Error);
}

TEST_CASE("Student's t quantiles are SciPy's, and probabilities lead back", "[metrics][statistics]") {
  for (const Json& one : scipy_cases("quantiles")) {
    INFO(one.dump());
    const int freedom = one.at("freedom");
    CHECK(student_t_quantile(one.at("probability"), freedom) == scipy_value(one, "value"));
    CHECK(student_t_probability(one.at("value"), freedom) == scipy_value(one, "probability"));
  }
  CHECK(student_t_probability(std::numeric_limits<double>::infinity(), 3) == 1);
  CHECK(student_t_probability(-std::numeric_limits<double>::infinity(), 3) == 0);
  CHECK_THROWS_AS(student_t_probability(0, 0), Error);
}

TEST_CASE("the interval of the mean of three seeds", "[metrics][statistics]") {
  const Interval interval = interval_of_mean({1, 2, 3}).value();  // s = 1, half width 4.302653 / sqrt(3)
  CHECK(interval.low == Approx(2 - 2.484138).epsilon(1e-5));
  CHECK(interval.high == Approx(2 + 2.484138).epsilon(1e-5));
  CHECK_THROWS_AS(interval_of_mean({1, 2, 3}, 1.0), Error);
}

TEST_CASE("intervals of means at two levels are statsmodels'", "[metrics][statistics]") {
  for (const Json& one : scipy_cases("samples")) {
    INFO(one.dump());
    const Interval interval = interval_of_mean(one.at("values").get<std::vector<double>>(), one.at("level")).value();
    CHECK(interval.low == scipy_value(one, "low"));
    CHECK(interval.high == scipy_value(one, "high"));
  }
}

TEST_CASE("spread of a load vector", "[metrics][statistics]") {
  CHECK(coefficient_of_variation({5, 5, 5, 5}) == 0.0);
  CHECK(coefficient_of_variation({8, 0, 0, 0}) == Approx(std::sqrt(3.0)));
  CHECK(coefficient_of_variation({0, 0}) == 0.0);
  CHECK(entropy({5, 5, 5, 5}) == Approx(std::log(4.0)));
  CHECK(entropy({8, 0, 0, 0}) == 0.0);
  CHECK(entropy({0, 0}) == 0.0);
  CHECK(entropy({1, 3}) == Approx(0.25 * std::log(4.0) + 0.75 * std::log(4.0 / 3)));
}

}  // namespace moe
