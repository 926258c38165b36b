#pragma once
// What a few values, such as the differences of each seed, say about their mean: the t test, equivalence by two
// one-sided t tests, Holm's correction, and how many values would decide. Values are taken for independent and normal.

#include <optional>
#include <vector>

namespace moe {

/// Two-sided p of the hypothesis that the mean is `expected`: Student's t with n - 1 degrees of freedom. When all
/// values are the same, 1 if they are `expected` and 0 if not. Throws for fewer than two values.
double t_test_p(const std::vector<double>& values, double expected);

/// p of the hypothesis that the mean is not between -delta and delta: the larger p of the two one-sided t tests
/// (Schuirmann 1987). When all values are the same, 0 if they lie between and 1 if not. Throws for fewer than two
/// values or a negative delta.
double equivalence_p(const std::vector<double>& values, double delta);

/// Each p times the number of hypotheses that its place in ascending order leaves, at least as large as any before it
/// and at most 1 (Holm 1979), in the given order. Comparing them with a level rejects any true hypothesis with at most
/// that probability. Throws for a p outside 0..1.
std::vector<double> holm_adjusted(const std::vector<double>& p);

/// Probability that t_test_p of `count` values is at most `level`, where their mean differs from the expected one by
/// `effect` and their standard deviation is `deviation`. Rejections on the wrong side count too. It is the two tails of
/// the noncentral t, computed as the mean of normal tails over the sample deviation. Without deviation 1, or 0 for no
/// effect. Throws for fewer than two values, a negative deviation or a level outside 0..1.
double t_test_power(double effect, double deviation, int count, double level);

/// Probability that equivalence_p of `count` values with mean `effect` is at most `level`. Exact, as in Phillips
/// (1990), "Power of the two one-sided tests procedure in bioequivalence", and not the difference of two noncentral t
/// tails, which is too small for a handful of values: it takes off the case that both one-sided tests fail twice.
/// Throws as t_test_power does, and for a negative delta.
double equivalence_power(double effect, double deviation, int count, double delta, double level);

/// Fewest values, at least 2, with which t_test_power reaches `power`; nothing when `most` are too few.
std::optional<int> count_for_power(double effect, double deviation, double level, double power, int most);

/// Fewest values, at least 2, with which equivalence_power reaches `power`; nothing when `most` are too few.
std::optional<int> count_for_equivalence(double effect, double deviation, double delta, double level, double power,
                                         int most);

/// What each y is multiplied with in the slope below, which is their sum. Throws for fewer than two different x.
std::vector<double> slope_weights(const std::vector<double>& x);

/// Slope of the straight line with the least squared distances in y. Throws for x and y of different lengths or fewer
/// than two different x.
double slope(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace moe
