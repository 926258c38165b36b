#include "harness/report/compare.h"

#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

std::string comparison(const ResultFolder& before, const ResultFolder& after) {
  return compare_results(read_results({before.path()}, {"dense", "switch"}),
                         read_results({after.path()}, {"dense", "switch"}));
}

}  // namespace

TEST_CASE("the same seeds on both sides are compared in pairs") {
  const ResultFolder before, after;
  for (const std::int64_t seed : {1, 2, 3}) {
    const auto s = static_cast<double>(seed);
    before.write(example_result({.seed = seed, .bleu = 30 + 5 * s}));
    Json result = example_result({.seed = seed, .bleu = 30 + 5 * s + s});  // differences 1, 2, 3
    result["measurements"]["target_tokens_per_second"] = 5500;
    result["parameters"]["total"] = 4100000;
    result["config"]["training"]["news"] = 1;  // a key that the old results do not know
    after.write(result);
  }
  const std::string text = comparison(before, after);
  // Mean 2, deviation 1, t(2) = 4.3027: 2 ± 2.48.
  CHECK_THAT(text, has_text("| switch, 4 experts |     3 |   40.00 → 42.00 | +2.00 (-0.48 to +4.48) |"));
  CHECK_THAT(text, has_text("4.00 M → 4.10 M |") && has_text("1.00 M |") && has_text("5000 → 5500 (+10 %)"));
  CHECK_THAT(text, !has_text("Only in") && !has_text("other settings"));
}

TEST_CASE("other seeds are compared by Welch's interval, and one seed has none") {
  const ResultFolder before, after;
  for (const std::int64_t seed : {1, 2}) {
    before.write(example_result({.seed = seed, .bleu = 30 + 2 * static_cast<double>(seed)}));
    after.write(example_result({.seed = seed + 2, .bleu = 31 + 2 * static_cast<double>(seed)}));
  }
  before.write(example_result({.experts = 2, .bleu = 20}));
  after.write(example_result({.experts = 2, .bleu = 19.5, .undertrained = true}));
  const std::string text = comparison(before, after);
  // Both deviations are sqrt(2), so the variance of the difference is 2 and has 2 degrees of freedom: 1 ± 4.3027
  // sqrt(2).
  CHECK_THAT(text, has_text("33.00 → 34.00 | +1.00 (-5.08 to +7.08) |"));
  CHECK_THAT(text, has_text("| switch, 2 experts † |     1 |") && has_text("-0.50 |"));
  CHECK_THAT(text, has_text("†: undertrained"));
}

TEST_CASE("what stands in one alone is listed, and settings that differ are named") {
  const ResultFolder before, after;
  before.write(example_result({.router = "dense", .label = "dense", .experts = 1}));
  before.write(example_result({}));
  Json longer = example_result({});
  longer["config"]["training"]["updates"] = 6000;
  after.write(longer);
  Json thor = example_result({.router = "thor", .label = "thor", .experts = 8});
  thor["config"]["training"]["updates"] = 6000;
  after.write(thor);
  const std::string text = comparison(before, after);
  CHECK_THAT(text, has_text("No configuration stands in both."));
  CHECK_THAT(text, has_text("old against new:\n\n- switch, 4 experts: training.updates: 200 against 6000\n"));
  CHECK_THAT(text, has_text("Only in the old results:\n\n- dense\n"));
  CHECK_THAT(text, has_text("Only in the new results:\n\n- thor, 8 experts\n"));
}

TEST_CASE("a configuration that failed has no score to compare") {
  const ResultFolder before, after;
  before.write(example_result({}));
  after.write(failed_result({}, "It failed."));
  CHECK_THAT(comparison(before, after), has_text("| 1 → 0 |") && has_text("30.00 → – |"));
}

}  // namespace moe
