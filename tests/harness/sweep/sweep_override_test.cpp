#include "harness/sweep/sweep_override.h"

#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {
namespace {

using test::errors_of;
using test::json;
using test::Lines;
using test::read;
using test::small_sweep;

/// Two strategies of one router and one of another, each with a learning rate of its own.
Json sweep_with_overrides() {
  return small_sweep(json(R"({
      "training": {"learning_rate": 1e-3},
      "grid": {"strategy": [{"router": "dense"}, {"router": "dense", "objective": {"passes": 2, "consistency": 5}},
                            {"router": "switch"}]},
      "overrides": [
        {"where": {"strategy.router": "dense"}, "set": {"training.learning_rate": 2e-3, "model": {"dropout": 0.2}}},
        {"where": {"strategy": {"objective": {"passes": 2}}}, "set": {"training.learning_rate": 4e-3}}
      ]})"));
}

std::vector<double> learning_rates(const Sweep& sweep) {
  std::vector<double> rates;
  for (const RunSpec& run : sweep.runs) rates.push_back(run.training.learning_rate);
  return rates;
}

}  // namespace

TEST_CASE("an override sets keys of the runs that match, and the last has the last word") {
  const Sweep sweep = read(sweep_with_overrides());
  CHECK(learning_rates(sweep) == std::vector<double>{2e-3, 4e-3, 1e-3});
  CHECK(sweep.runs[0].model.dropout == 0.2);
  CHECK(sweep.runs[1].model.dropout == 0.2);
  CHECK(sweep.runs[2].model.dropout == ModelSettings{}.dropout);
}

TEST_CASE("--set has a later word than an override") {
  const Sweep sweep = read(sweep_with_overrides(), {"training.learning_rate=7e-3"});
  CHECK(learning_rates(sweep) == std::vector<double>{7e-3, 7e-3, 7e-3});
  CHECK(sweep.runs[0].model.dropout == 0.2);
}

TEST_CASE("the resolved sweep has the overrides and makes the same runs") {
  const Sweep sweep = read(sweep_with_overrides());
  CHECK(learning_rates(read(sweep.resolved)) == learning_rates(sweep));
}

TEST_CASE("an error in an override is named by its place") {
  Json sweep = sweep_with_overrides();
  sweep["overrides"] = json(R"([{"where": {"strategy.router": "dense"}, "set": {"training.learning_rate": 0}}])");
  CHECK(each_names(errors_of(sweep), {{"overrides[0].set.training.learning_rate: found 0", "above 0"}}));
  sweep["overrides"] = json(R"([{"where": {"strategy.router": "dense"}}])");
  CHECK(errors_of(sweep).at(0).starts_with("overrides[0]: found "));
  sweep["overrides"] = json(R"([{"where": {"strategy.ruter": "dense"}, "set": {"model.dropout": 0}}])");
  CHECK(errors_of(sweep).at(0).starts_with("overrides[0].where.strategy.ruter: "));
  sweep["overrides"] = 3;
  CHECK(each_names(errors_of(sweep), {{"overrides: found 3", "list"}}));
}

}  // namespace moe
