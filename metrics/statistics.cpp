#include "metrics/statistics.h"

#include "core/error.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace moe {
namespace {

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double squared_deviations(const std::vector<double>& values) {
  const double center = mean(values);
  return std::accumulate(values.begin(), values.end(), 0.0,
                         [&](double total, double value) { return total + (value - center) * (value - center); });
}

/// P(|T| < t) with angle = atan(t / sqrt(freedom)): the finite series for whole degrees of freedom, Abramowitz and
/// Stegun (1964), 26.7.3 and 26.7.4.
double central_probability(double angle, int freedom) {
  const bool odd = freedom % 2 == 1;
  const double cosine = std::cos(angle);
  double term = odd ? cosine : 1.0;
  double series = 0;
  for (int k = odd ? 3 : 2; k <= freedom; k += 2) {
    series += term;
    term *= cosine * cosine * (k - 1) / k;
  }
  series *= std::sin(angle);
  return odd ? (angle + series) * 2 / std::numbers::pi : series;
}

}  // namespace

double mean(const std::vector<double>& values) {
  MOE_CHECK(!values.empty(), "The mean of no values was asked for.");
  return sum(values) / static_cast<double>(values.size());
}

std::optional<double> sample_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return std::nullopt;
  return std::sqrt(squared_deviations(values) / static_cast<double>(values.size() - 1));
}

double student_t_quantile(double probability, int freedom) {
  MOE_CHECK(freedom >= 1, "Student's t needs at least 1 degree of freedom, not {}.", freedom);
  MOE_CHECK(probability > 0 && probability < 1, "A quantile needs a probability between 0 and 1, not {}.", probability);
  const double central = std::abs(2 * probability - 1);
  double low = 0;
  double high = std::numbers::pi / 2;
  // Each step halves the interval of the angle; 60 leave less than the spacing of doubles near pi / 2.
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (central_probability(middle, freedom) < central ? low : high) = middle;
  }
  return std::copysign(std::tan(low) * std::sqrt(freedom), probability - 0.5);
}

std::optional<Interval> interval_of_mean(const std::vector<double>& values) {
  const std::optional<double> deviation = sample_deviation(values);
  if (!deviation) return std::nullopt;
  const int freedom = static_cast<int>(values.size()) - 1;
  const double half = student_t_quantile(0.975, freedom) * *deviation / std::sqrt(static_cast<double>(values.size()));
  const double center = mean(values);
  return Interval{center - half, center + half};
}

double coefficient_of_variation(const std::vector<double>& load) {
  const double center = mean(load);
  if (center == 0) return 0;
  return std::sqrt(squared_deviations(load) / static_cast<double>(load.size())) / center;
}

double entropy(const std::vector<double>& load) {
  const double total = sum(load);
  double nats = 0;
  for (const double value : load) {
    if (value > 0) nats -= value / total * std::log(value / total);
  }
  return nats;
}

}  // namespace moe
