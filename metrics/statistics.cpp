#include "metrics/statistics.h"

#include "core/error.h"

#include <boost/math/distributions/students_t.hpp>

#include <cmath>
#include <numeric>

namespace moe {
namespace {

namespace policies = boost::math::policies;

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double squared_deviations(const std::vector<double>& values) {
  const double center = mean(values);
  return std::accumulate(values.begin(), values.end(), 0.0,
                         [&](double total, double value) { return total + (value - center) * (value - center); });
}

/// Never throws an exception of Boost's: what has no answer is NaN, what is too large infinite.
using NoThrow =
    policies::policy<policies::domain_error<policies::ignore_error>, policies::overflow_error<policies::ignore_error>,
                     policies::evaluation_error<policies::ignore_error>>;

boost::math::students_t_distribution<double, NoThrow> student_t(int freedom) {
  MOE_CHECK(freedom >= 1, "Student's t needs at least 1 degree of freedom, not {}.", freedom);
  return boost::math::students_t_distribution<double, NoThrow>(freedom);
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
  MOE_CHECK(probability > 0 && probability < 1, "A quantile needs a probability between 0 and 1, not {}.", probability);
  return boost::math::quantile(student_t(freedom), probability);
}

double student_t_probability(double value, int freedom) {
  return boost::math::cdf(student_t(freedom), value);
}

std::optional<Interval> interval_of_mean(const std::vector<double>& values, double level) {
  MOE_CHECK(level > 0 && level < 1, "An interval holds a share between 0 and 1, not {}.", level);
  const std::optional<double> deviation = sample_deviation(values);
  if (!deviation) return std::nullopt;
  const int freedom = static_cast<int>(values.size()) - 1;
  const double error = *deviation / std::sqrt(static_cast<double>(values.size()));
  const double half = student_t_quantile((1 + level) / 2, freedom) * error;
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
