#include "metrics/comparison/paired_bootstrap.h"

#include "core/error.h"
#include "metrics/comparison/significance.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

/// 100 times the share of right answers in a row {right, answers}.
double share_right(const SentenceRow& sum) {
  return 100 * sum[0] / sum[1];
}

/// One evaluation of `sentences` sentences, of which those from `begin` to `end` are right.
SystemRows right_from_to(std::size_t begin, std::size_t end, std::size_t sentences = 100) {
  SystemRows rows(sentences, {0, 1});
  for (std::size_t i = begin; i < end; ++i) rows[i][0] = 1;
  return rows;
}

/// Two systems of one test set.
struct PairedSystems {
  SystemDraws a;
  SystemDraws b;
  std::size_t set = 0;
};

/// The mean difference of pairs.
BootstrapDifference paired_difference(const std::vector<PairedSystems>& pairs, const ScoreOfRow& score,
                                      const BootstrapOptions& options = {}) {
  std::vector<WeightedSystem> systems;
  const double share = 1 / static_cast<double>(pairs.size());
  for (const PairedSystems& pair : pairs) {
    systems.push_back({pair.a, share, pair.set});
    systems.push_back({pair.b, -share, pair.set});
  }
  return bootstrap_difference(systems, score, options);
}

/// a is right in the first 60 of 100 sentences, b in the last 50: 10 points apart. A sentence's difference is 1 in 50
/// of them, 0 in ten and -1 in 40, so its variance is 0.9 - 0.01 and 100 of them have the standard error 9.43.
PairedSystems ten_points_apart(std::size_t set = 0) {
  return {{right_from_to(0, 60)}, {right_from_to(50, 100)}, set};
}

BootstrapOptions with_samples(int samples) {
  BootstrapOptions options;
  options.samples = samples;
  return options;
}

double width_of(const Interval& interval) {
  return interval.high - interval.low;
}

}  // namespace

TEST_CASE("a difference, its interval and its p are those of a normal mean", "[metrics][paired_bootstrap]") {
  const auto bootstrap = paired_difference({ten_points_apart()}, share_right, with_samples(4000));
  CHECK(bootstrap.difference == Approx(10));
  REQUIRE(bootstrap.resampled.size() == 4000);
  CHECK(std::is_sorted(bootstrap.resampled.begin(), bootstrap.resampled.end()));
  CHECK(bootstrap.interval.low == Approx(10 - 1.96 * 9.43).margin(1.5));
  CHECK(bootstrap.interval.high == Approx(10 + 1.96 * 9.43).margin(1.5));
  // Two-sided: 10 / 9.43 = 1.06 standard errors; shares come in steps of 1.
  CHECK(bootstrap_p(bootstrap, 0) == Approx(0.29).margin(0.05));
  CHECK(bootstrap_p(bootstrap, 20) == Approx(0.29).margin(0.05));
  CHECK(bootstrap_p(bootstrap, 10 + 1.96 * 9.43) == Approx(0.05).margin(0.02));
  CHECK(bootstrap_p(bootstrap, 10) > 0.95);
  // One-sided: the bound is 1.06 standard errors above the difference.
  CHECK(bootstrap_equivalence_p(bootstrap, 20) == Approx(0.145).margin(0.03));
  CHECK(bootstrap_equivalence_p(bootstrap, 10) == Approx(0.5).margin(0.05));
}

TEST_CASE("resampled differences are those of the test of two systems", "[metrics][paired_bootstrap]") {
  const PairedSystems pair = ten_points_apart();
  std::vector<SystemSummands> systems;
  for (const SystemDraws* draws : {&pair.b, &pair.a}) {
    SystemSummands rows;
    for (const SentenceRow& row : draws->front()) rows.push_back({std::llround(row[0]), std::llround(row[1])});
    systems.push_back(rows);
  }
  const auto score = [](const Summands& sum) {
    return share_right({static_cast<double>(sum[0]), static_cast<double>(sum[1])});
  };
  const auto sacrebleu = paired_test(systems, score, {PairedTest::bootstrap, 1000, 12345});
  const auto bootstrap = paired_difference({pair}, share_right);
  CHECK(bootstrap.difference == Approx(sacrebleu[1].score - sacrebleu[0].score));

  // sacreBLEU takes absolute values before it takes their mean off, so that one tail is left where a difference hardly
  // ever changes its sign: its p is about half of ours.
  std::vector<double> distances = bootstrap.resampled;
  for (double& distance : distances) distance = std::abs(distance);
  const double center = mean(distances);
  const auto larger = std::count_if(distances.begin(), distances.end(),
                                    [&](double distance) { return distance - center > bootstrap.difference; });
  CHECK(sacrebleu[1].p_value.value() == Approx(static_cast<double>(larger + 1) / 1001));
  CHECK(sacrebleu[1].p_value.value() == Approx(bootstrap_p(bootstrap, 0) / 2).margin(0.05));
}

TEST_CASE("a system compared with itself is no different", "[metrics][paired_bootstrap]") {
  const auto bootstrap = paired_difference({{{right_from_to(0, 60)}, {right_from_to(0, 60)}}}, share_right);
  CHECK(bootstrap.difference == 0);
  CHECK(width_of(bootstrap.interval) == 0);
  CHECK(bootstrap_p(bootstrap, 0) == 1);
  CHECK(bootstrap_p(bootstrap, 0.5) == Approx(1.0 / 1001));
  CHECK(bootstrap_equivalence_p(bootstrap, 0.5) == Approx(1.0 / 1001));
  CHECK(bootstrap_equivalence_p(bootstrap, 0) == 1);
}

TEST_CASE("a margin further off is harder to believe", "[metrics][paired_bootstrap]") {
  const auto bootstrap = paired_difference({ten_points_apart()}, share_right);
  for (int step = 0; step < 30; ++step) {
    CHECK(bootstrap_p(bootstrap, 10 + step) >= bootstrap_p(bootstrap, 11 + step));
    CHECK(bootstrap_p(bootstrap, 10 - step) >= bootstrap_p(bootstrap, 9 - step));
    CHECK(bootstrap_equivalence_p(bootstrap, step) >= bootstrap_equivalence_p(bootstrap, 1 + step));
  }
}

TEST_CASE("exchanged systems have the opposite difference", "[metrics][paired_bootstrap]") {
  const PairedSystems pair = ten_points_apart();
  const auto one = paired_difference({pair}, share_right);
  const auto other = paired_difference({{pair.b, pair.a}}, share_right);
  CHECK(other.difference == -one.difference);
  CHECK(other.interval.low == -one.interval.high);
  CHECK(bootstrap_p(other, 0) == Approx(bootstrap_p(one, 0)));
}

TEST_CASE("draws of a system and pairs of a set are averaged", "[metrics][paired_bootstrap]") {
  const SystemRows half = right_from_to(0, 50), most = right_from_to(20, 90), few = right_from_to(70, 80);
  const auto draws = paired_difference({{{half, most}, {few}}}, share_right);
  const auto pairs = paired_difference({{{half}, {few}}, {{most}, {few}}}, share_right);
  CHECK(draws.difference == Approx((50 + 70) / 2.0 - 10));
  CHECK(pairs.difference == Approx(draws.difference));
  for (std::size_t i = 0; i < draws.resampled.size(); i += 100) {
    CHECK(pairs.resampled[i] == Approx(draws.resampled[i]));
  }
}

TEST_CASE("pairs of one test set share their sentences, test sets do not", "[metrics][paired_bootstrap]") {
  const BootstrapOptions options = with_samples(4000);
  const auto one = paired_difference({ten_points_apart()}, share_right, options);
  const auto same = paired_difference({ten_points_apart(), ten_points_apart()}, share_right, options);
  const auto two = paired_difference({ten_points_apart(0), ten_points_apart(7)}, share_right, options);
  CHECK(width_of(same.interval) == Approx(width_of(one.interval)));
  CHECK(width_of(two.interval) == Approx(width_of(one.interval) / std::sqrt(2)).epsilon(0.08));
  CHECK(two.difference == Approx(10));

  const PairedSystems smaller = {{right_from_to(0, 10, 20)}, {right_from_to(0, 4, 20)}, 1};  // 30 points apart
  CHECK(paired_difference({ten_points_apart(), smaller}, share_right).difference == Approx(20));
}

TEST_CASE("the seed decides the draws", "[metrics][paired_bootstrap]") {
  BootstrapOptions other = with_samples(200);
  const auto one = paired_difference({ten_points_apart()}, share_right, other);
  CHECK(one.resampled == paired_difference({ten_points_apart()}, share_right, other).resampled);
  other.seed = 1;
  CHECK(one.resampled != paired_difference({ten_points_apart()}, share_right, other).resampled);
}

TEST_CASE("a comparison needs pairs, evaluations, sentences and rows that fit", "[metrics][paired_bootstrap]") {
  const SystemRows rows = right_from_to(0, 1, 2);
  CHECK_THROWS_AS(paired_difference({}, share_right), Error);
  CHECK_THROWS_AS(paired_difference({{{}, {rows}}}, share_right), Error);
  CHECK_THROWS_AS(paired_difference({{{rows}, {}}}, share_right), Error);
  CHECK_THROWS_AS(paired_difference({{{{}}, {{}}}}, share_right), Error);
  CHECK_THROWS_AS(paired_difference({{{rows}, {right_from_to(0, 1, 3)}}}, share_right), Error);
  CHECK_THROWS_AS(paired_difference({{{rows}, {{{1, 1}, {1, 1, 1}}}}}, share_right), Error);
  CHECK_THROWS_AS(paired_difference({{{rows}, {rows}}}, share_right, with_samples(0)), Error);
  BootstrapOptions options;
  options.level = 1;
  CHECK_THROWS_AS(paired_difference({{{rows}, {rows}}}, share_right, options), Error);
}

}  // namespace moe
