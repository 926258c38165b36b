#pragma once
// Means, intervals and spreads of a few numbers.

#include <optional>
#include <vector>

namespace moe {

struct Interval {
  double low = 0;
  double high = 0;
};

/// Arithmetic mean. Throws when there is no value.
double mean(const std::vector<double>& values);

/// Sample standard deviation (divided by n - 1); nothing for fewer than two values.
std::optional<double> sample_deviation(const std::vector<double>& values);

/// The value that Student's t with `freedom` degrees of freedom stays below with probability `probability`.
/// Throws unless freedom >= 1 and 0 < probability < 1.
double student_t_quantile(double probability, int freedom);

/// The probability that Student's t with `freedom` degrees of freedom stays below `value`, as exact below 1e-300 as
/// near 1/2. Throws unless freedom >= 1.
double student_t_probability(double value, int freedom);

/// Interval of the mean by Student's t, mean +- t * s / sqrt(n); a share `level` of such intervals holds the true mean.
/// Nothing for fewer than two values. Throws unless 0 < level < 1.
std::optional<Interval> interval_of_mean(const std::vector<double>& values, double level = 0.95);

/// Standard deviation (divided by n) over the mean: 0 for an even load, sqrt(E - 1) when one of E experts has it all.
/// 0 for a load without any token. Throws when there is no entry.
double coefficient_of_variation(const std::vector<double>& load);

/// Entropy in nats of the load's shares: ln(E) for an even load, 0 when one expert has it all or nobody has anything.
double entropy(const std::vector<double>& load);

}  // namespace moe
