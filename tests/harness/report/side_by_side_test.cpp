#include "harness/report/tables/side_by_side.h"

#include "tests/support/catch.h"

namespace moe {
namespace {

RunResult run_at(const std::string& started, double seconds, Json host = {{"cpu", "Example CPU"}}) {
  RunResult run;
  run.measurements.started = started;
  run.measurements.host = std::move(host);
  run.measurements.seconds = SecondsRecord{.total = seconds};
  return run;
}

}  // namespace

TEST_CASE("runs say how many worked beside them; older ones tell it by their times") {
  const Json alone = {{"cpu", "Example CPU"}, {"jobs", 1}}, two = {{"cpu", "Example CPU"}, {"jobs", 2}};
  CHECK_FALSE(worked_side_by_side({}));
  CHECK_FALSE(
      worked_side_by_side({run_at("2026-01-02T00:00:00Z", 60, alone), run_at("2026-01-02T00:00:30Z", 60, alone)}));
  CHECK(worked_side_by_side({run_at("2026-01-02T00:00:00Z", 60, alone), run_at("2026-01-03T00:00:00Z", 60, two)}));

  CHECK_FALSE(worked_side_by_side({run_at("2026-01-02T00:01:00Z", 60), run_at("2026-01-02T00:00:00Z", 60.9)}));
  CHECK(worked_side_by_side({run_at("2026-01-02T00:00:30Z", 60), run_at("2026-01-02T00:00:00Z", 60)}));
  CHECK(worked_side_by_side(
      {run_at("2026-01-02T00:00:00Z", 600), run_at("2026-01-02T00:00:01Z", 1), run_at("2026-01-02T00:01:00Z", 1)}));
  CHECK_FALSE(worked_side_by_side(
      {run_at("2026-01-02T00:00:00Z", 60), run_at("2026-01-02T00:00:30Z", 60, {{"cpu", "Other"}})}));
  CHECK_FALSE(worked_side_by_side({run_at("", 60), run_at("", 60)}));
}

}  // namespace moe
