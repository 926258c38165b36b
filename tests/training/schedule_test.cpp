#include "training/schedule.h"

#include "tests/support/catch.h"

#include <vector>

namespace moe {
namespace {

/// Peak 1 after 4 of 20 updates.
TrainingSettings settings(const std::string& schedule) {
  TrainingSettings settings;
  settings.learning_rate = 1;
  settings.warmup = 4;
  settings.updates = 20;
  settings.schedule = schedule;
  return settings;
}

/// Of an update of a run that has a budget of updates alone.
double rate(const TrainingSettings& settings, std::int64_t update) {
  return learning_rate_at(settings, update, share_of_budget(settings, {.updates = update - 1}));
}

}  // namespace

TEST_CASE("the learning rate climbs to its peak and falls with the inverse square root") {
  const std::vector<std::pair<std::int64_t, double>> table = {{1, .25}, {2, .5}, {3, .75}, {4, 1}, {16, .5}, {400, .1}};
  for (const auto& [update, expected] : table) {
    CHECK(rate(settings("inverse_sqrt"), update) == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("a linear schedule falls from the peak by equal steps and would be 0 one update after the last") {
  // 16 updates after the warm-up: the first of them has the whole way before it, the last a sixteenth.
  const std::vector<std::pair<std::int64_t, double>> table = {{1, .25}, {4, 1}, {5, 1}, {13, .5}, {20, 1.0 / 16}};
  for (const auto& [update, expected] : table)
    CHECK(rate(settings("linear"), update) == Approx(expected).epsilon(1e-12));
}

TEST_CASE("a cosine schedule is at half the peak where half of the way is left") {
  // With a quarter of the way left: (1 - cos(pi / 4)) / 2.
  const std::vector<std::pair<std::int64_t, double>> table = {{4, 1}, {5, 1}, {13, .5}, {17, .14644660940672624}};
  for (const auto& [update, expected] : table)
    CHECK(rate(settings("cosine"), update) == Approx(expected).epsilon(1e-12));
}

TEST_CASE("the budget that is spent first ends training and the schedule") {
  TrainingSettings limited = settings("linear");
  limited.flops = 100;
  limited.seconds = 10;
  CHECK(share_of_budget(limited, {.updates = 5, .flops = 10, .seconds = 1}) == Approx(0.25));
  CHECK(share_of_budget(limited, {.updates = 5, .flops = 60, .seconds = 1}) == Approx(0.6));
  CHECK(share_of_budget(limited, {.updates = 5, .flops = 60, .seconds = 8}) == Approx(0.8));
  CHECK(share_of_budget(limited, {.updates = 5, .flops = 170, .seconds = 8}) == 1);
  CHECK(share_of_budget(limited, {.updates = 20}) == 1);
  CHECK(learning_rate_at(limited, 6, 0.6) == Approx(0.5));  // 0.4 of 0.8
  CHECK(learning_rate_at(limited, 6, 0.1) == 1);            // not above the peak
}

TEST_CASE("no update is a budget that is spent") {
  TrainingSettings none = settings("linear");
  none.updates = 0;
  CHECK(share_of_budget(none, {}) == 1);
}

TEST_CASE("a schedule that ends needs updates after the warm-up") {
  ConfigErrors errors;
  TrainingSettings short_run = settings("cosine");
  short_run.updates = 4;
  check_settings(short_run, "training", errors);
  REQUIRE(errors.errors().size() == 1);
  CHECK(errors.errors().front().path == "training.warmup");
  ConfigErrors none;
  check_settings(settings("linear"), "training", none);
  short_run.schedule = "inverse_sqrt";
  check_settings(short_run, "training", none);
  CHECK(none.empty());
}

}  // namespace moe
