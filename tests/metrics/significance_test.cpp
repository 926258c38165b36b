#include "metrics/comparison/significance.h"

#include "core/error.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

/// 100 times the share of matches in a row of (matches, total).
double share(const Summands& sum) {
  return 100 * static_cast<double>(sum[0]) / static_cast<double>(sum[1]);
}

PairedOptions options_of(PairedTest test, int samples, std::uint64_t seed = 12345) {
  return {test, samples, seed};
}

/// `matching` sentences that match, then `others` that do not.
SystemSummands sentences(std::size_t matching, std::size_t others) {
  SystemSummands rows(matching, {1, 1});
  rows.resize(matching + others, {0, 1});
  return rows;
}

}  // namespace

TEST_CASE("summands add up column by column", "[metrics][significance]") {
  CHECK(sum_of({{1, 2}, {3, 4}, {5, 6}}) == Summands{9, 12});
  CHECK_THROWS_AS(sum_of({}), Error);
}

TEST_CASE("a system that says the same is as different as the number of samples can tell", "[metrics][significance]") {
  for (const PairedTest test : {PairedTest::bootstrap, PairedTest::randomisation}) {
    const auto results = paired_test({sentences(3, 2), sentences(3, 2)}, share, options_of(test, 99));
    CHECK(results[0].score == 60);
    CHECK_FALSE(results[0].p_value);
    CHECK(results[1].p_value.value() == Approx(0.01));  // no difference is above 0: (0 + 1) / (99 + 1)
  }
}

TEST_CASE("the bootstrap's spread is that of a mean", "[metrics][significance]") {
  const auto results =
      paired_test({sentences(60, 40), sentences(50, 50)}, share, options_of(PairedTest::bootstrap, 4000));
  // A share q of n sentences has the deviation sqrt(q (1 - q) / n); 95 % lie within 1.96 of them.
  CHECK(results[0].spread->mean == Approx(60).margin(0.3));
  CHECK(results[0].spread->half_width == Approx(1.96 * 4.9).margin(0.7));
  CHECK(results[1].spread->half_width == Approx(1.96 * 5.0).margin(0.7));
}

TEST_CASE("randomisation finds the probability of a more uneven split", "[metrics][significance]") {
  // The systems differ in ten sentences, eight of which the second has right. Swapping splits the ten like ten coins:
  // more uneven than eight to two are nine and ten of one kind, 2 * (10 + 1) of 1024 splits.
  SystemSummands first(10, {0, 1}), second(10, {1, 1});
  for (std::size_t i = 0; i < 2; ++i) std::swap(first[i], second[i]);
  const int trials = 20000;
  const auto results = paired_test({first, second}, share, options_of(PairedTest::randomisation, trials));
  const double expected = 22.0 / 1024;
  CHECK(results[1].score - results[0].score == Approx(60));
  CHECK(results[1].p_value.value() == Approx(expected).margin(4 * std::sqrt(expected / trials)));
  CHECK_FALSE(results[1].spread);
}

TEST_CASE("the seed decides the draws, and all systems share them", "[metrics][significance]") {
  SystemSummands second = sentences(24, 16);
  std::reverse(second.begin(), second.end());
  const std::vector<SystemSummands> systems = {sentences(20, 20), second, second};
  for (const PairedTest test : {PairedTest::bootstrap, PairedTest::randomisation}) {
    const auto once = paired_test(systems, share, options_of(test, 200));
    const auto other = paired_test(systems, share, options_of(test, 200, 1));
    CHECK(once[1].p_value == once[2].p_value);
    CHECK(once[1].p_value == paired_test(systems, share, options_of(test, 200))[1].p_value);
    CHECK(once[1].p_value != other[1].p_value);
  }
}

TEST_CASE("a test needs systems of one length and a sample", "[metrics][significance]") {
  CHECK_THROWS_AS(paired_test({}, share, {}), Error);
  CHECK_THROWS_AS(paired_test({sentences(1, 1), sentences(2, 1)}, share, {}), Error);
  CHECK_THROWS_AS(paired_test({sentences(1, 1)}, share, options_of(PairedTest::bootstrap, 0)), Error);
}

TEST_CASE("the signature states test, samples and seed as sacreBLEU does", "[metrics][significance]") {
  CHECK(signature_with("nrefs:1|case:lc|version:2.6.0", {}) == "nrefs:1|bs:1000|seed:12345|case:lc|version:2.6.0");
  CHECK(signature_with("nrefs:2|case:lc", options_of(PairedTest::randomisation, 10000, 7)) ==
        "nrefs:2|ar:10000|seed:7|case:lc");
}

}  // namespace moe
