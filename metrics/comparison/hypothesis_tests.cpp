#include "metrics/comparison/hypothesis_tests.h"

#include "core/error.h"
#include "metrics/statistics.h"

#include <boost/math/quadrature/gauss_kronrod.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>

namespace moe {
namespace {

/// Mean and its standard error. No error at all when all values are the same, whatever rounding says.
struct MeanWithError {
  double mean = 0;
  double error = 0;
  int freedom = 1;
};

MeanWithError mean_with_error(const std::vector<double>& values) {
  MOE_CHECK(values.size() >= 2, "A t test needs at least 2 values, not {}.", values.size());
  const int freedom = static_cast<int>(values.size()) - 1;
  const bool same = std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
  if (same) return {values.front(), 0, freedom};
  return {mean(values), sample_deviation(values).value_or(0) / std::sqrt(static_cast<double>(values.size())), freedom};
}

double normal_probability(double value) {
  return std::erfc(-value / std::numbers::sqrt2) / 2;
}

/// Mean of `of(u)` for u from 0 to `highest`, where u is the sample deviation over the true one: freedom * u^2 is
/// distributed as chi-squared. Beyond 10 / sqrt(freedom) around 1 its density is below 1e-26.
double mean_over_deviation(int freedom, double highest, const std::function<double(double)>& of) {
  const double n = freedom;
  const double log_factor = std::numbers::ln2 + n / 2 * std::log(n / 2) - std::lgamma(n / 2);
  const auto integrand = [&](double u) { return of(u) * std::exp(log_factor + (n - 1) * std::log(u) - n * u * u / 2); };
  const double low = std::max(0.0, 1 - 10 / std::sqrt(n));
  const double high = std::min(highest, 1 + 10 / std::sqrt(n));
  if (low >= high) return 0;
  const double mean = boost::math::quadrature::gauss_kronrod<double, 31>::integrate(integrand, low, high, 15, 1e-12);
  return std::clamp(mean, 0.0, 1.0);
}

void check_power_request(double deviation, int count, double level) {
  MOE_CHECK(deviation >= 0, "A standard deviation cannot be negative: {}.", deviation);
  MOE_CHECK(count >= 2, "A t test needs at least 2 values, not {}.", count);
  MOE_CHECK(level > 0 && level < 1, "The level of a test lies between 0 and 1: {}.", level);
}

void check_band(double delta) {
  MOE_CHECK(delta >= 0, "The largest difference that counts as equal cannot be negative: {}.", delta);
}

std::optional<int> fewest_values(double power, int most, const std::function<double(int)>& power_of) {
  for (int count = 2; count <= most; ++count) {
    if (power_of(count) >= power) return count;
  }
  return std::nullopt;
}

}  // namespace

double t_test_p(const std::vector<double>& values, double expected) {
  const auto [center, error, freedom] = mean_with_error(values);
  if (error == 0) return center == expected ? 1 : 0;
  return 2 * student_t_probability(-std::abs(center - expected) / error, freedom);
}

double equivalence_p(const std::vector<double>& values, double delta) {
  check_band(delta);
  const auto [center, error, freedom] = mean_with_error(values);
  if (error == 0) return std::abs(center) < delta ? 0 : 1;
  // The test against the nearer bound has the larger p.
  return student_t_probability((std::abs(center) - delta) / error, freedom);
}

std::vector<double> holm_adjusted(const std::vector<double>& p) {
  for (const double value : p) MOE_CHECK(value >= 0 && value <= 1, "A p value lies between 0 and 1: {}.", value);
  std::vector<std::size_t> ascending(p.size());
  std::iota(ascending.begin(), ascending.end(), std::size_t{0});
  std::sort(ascending.begin(), ascending.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t place = 0; place < p.size(); ++place) {
    const auto left = static_cast<double>(p.size() - place);
    largest = std::max(largest, std::min(1.0, p[ascending[place]] * left));
    adjusted[ascending[place]] = largest;
  }
  return adjusted;
}

double t_test_power(double effect, double deviation, int count, double level) {
  check_power_request(deviation, count, level);
  if (deviation == 0) return effect == 0 ? 0 : 1;
  const double critical = student_t_quantile(1 - level / 2, count - 1);
  const double shift = effect / deviation * std::sqrt(count);
  return mean_over_deviation(count - 1, std::numeric_limits<double>::infinity(), [&](double u) {
    return normal_probability(shift - critical * u) + normal_probability(-shift - critical * u);
  });
}

double equivalence_power(double effect, double deviation, int count, double delta, double level) {
  check_power_request(deviation, count, level);
  check_band(delta);
  if (deviation == 0) return std::abs(effect) < delta ? 1 : 0;
  const double critical = student_t_quantile(1 - level, count - 1);
  const double scale = std::sqrt(count) / deviation;
  // The mean must stay this far inside both bounds, so a sample deviation above `highest` leaves no room for it.
  const double highest = critical > 0 ? delta * scale / critical : std::numeric_limits<double>::infinity();
  return mean_over_deviation(count - 1, highest, [&](double u) {
    return normal_probability((delta - effect) * scale - critical * u) -
           normal_probability((-delta - effect) * scale + critical * u);
  });
}

std::optional<int> count_for_power(double effect, double deviation, double level, double power, int most) {
  return fewest_values(power, most, [&](int count) { return t_test_power(effect, deviation, count, level); });
}

std::optional<int> count_for_equivalence(double effect, double deviation, double delta, double level, double power,
                                         int most) {
  return fewest_values(power, most,
                       [&](int count) { return equivalence_power(effect, deviation, count, delta, level); });
}

std::vector<double> slope_weights(const std::vector<double>& x) {
  const bool line = std::any_of(x.begin(), x.end(), [&](double value) { return value != x.front(); });
  MOE_CHECK(line, "A slope needs at least two different values of x.");
  const double center = mean(x);
  double squares = 0;
  for (const double value : x) squares += (value - center) * (value - center);
  std::vector<double> weights;
  for (const double value : x) weights.push_back((value - center) / squares);
  return weights;
}

double slope(const std::vector<double>& x, const std::vector<double>& y) {
  MOE_CHECK(x.size() == y.size(), "{} values of x cannot go with {} of y.", x.size(), y.size());
  const std::vector<double> weights = slope_weights(x);
  return std::inner_product(weights.begin(), weights.end(), y.begin(), 0.0);
}

}  // namespace moe
