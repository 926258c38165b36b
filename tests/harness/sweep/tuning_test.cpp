#include "harness/sweep/tuning.h"

#include "tests/harness/program.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <set>

namespace moe {
namespace {

using test::errors_of;
using test::json;
using test::Lines;
using test::read;
using test::small_sweep;

Json sweep_to_tune() {
  return small_sweep(json(R"({
      "grid": {"strategy": [{"router": "dense"}, {"router": "dense", "objective": {"passes": 2, "consistency": 5}},
                            {"router": "switch"}],
               "strategy.experts": [2, 4], "training.seed": [1, 2]},
      "tune": {"grid": {"training.learning_rate": [1e-3, 2e-3], "model.dropout": [0.1, 0.2, 0.3]},
               "at": {"strategy.experts": [4]}, "seeds": [11, 12]}})"));
}

TuneSettings settings_of(const Sweep& sweep) {
  TuneSettings settings;
  ConfigErrors errors;
  read_settings(settings, sweep.tune, "tune", errors);
  CHECK(errors.empty());
  return settings;
}

}  // namespace

TEST_CASE("every strategy and objective tries every setting with every seed, on the validation set") {
  Json given = sweep_to_tune();
  const Sweep sweep = read(given);
  const std::vector<Trial> trials = tuning_trials(sweep, settings_of(sweep));
  REQUIRE(trials.size() == 36);
  std::set<std::string> settings;
  for (const Trial& trial : trials) {
    CHECK(trial.spec.data.test == std::vector<std::string>{sweep.runs.front().data.valid});
    CHECK(trial.spec.training.seed == (settings.insert(trial.where.dump() + trial.set.dump()).second ? 11 : 12));
    CHECK(trial.spec.training.learning_rate == trial.set["training.learning_rate"].get<double>());
    CHECK(trial.spec.model.dropout == trial.set["model.dropout"].get<double>());
  }
  CHECK(trials[0].where == json(R"({"strategy.router": "dense", "strategy.objective.consistency": 0.0,
                                    "strategy.objective.passes": 1})"));
  CHECK(trials[35].where == json(R"({"strategy.router": "switch"})"));
  CHECK(trials[12].strategy == "dense (2 passes, consistency 5)");
  // The trials are a sweep like any other.
  CHECK(read(trial_sweep(sweep, trials).resolved).runs.size() == trials.size());
}

TEST_CASE("one configuration has to stand for each strategy") {
  Json given = sweep_to_tune();
  given["tune"].erase("at");
  const Sweep ambiguous = read(given);
  CHECK_THROWS_WITH(tuning_trials(ambiguous, settings_of(ambiguous)),
                    Catch::Contains("several configurations of \"switch\" match") && Catch::Contains("experts"));
}

TEST_CASE("what is wrong with the tuning of a sweep is said with its path") {
  const auto error_with = [](const char* key, const std::string& value) {
    Json sweep = sweep_to_tune();
    sweep["tune"][key] = json(value);
    const std::vector<std::string> errors = errors_of(sweep);
    return errors.empty() ? std::string() : errors.front();
  };
  CHECK(names(error_with("seeds", "[2]"), {"tune.seeds: 2 ", "seed of the sweep's runs"}));
  CHECK(names(error_with("seeds", "[-1]"), {"tune.seeds: found [-1]", "whole numbers from 0"}));
  CHECK(error_with("grid", "{}").starts_with("tune.grid: missing"));
  CHECK(error_with("grid", R"({"training.learning_rat": [1]})").starts_with("tune.grid.training.learning_rat: "));
  CHECK(
      error_with("grid", R"({"training.learning_rate": 1})").starts_with("tune.grid.training.learning_rate: found 1"));
  CHECK(error_with("grid", R"({"strategy.compat": ["mesh", "tutel"]})") ==
        "tune.grid.strategy.compat: a profile cannot be tuned; name the options that it stands for.");
  CHECK(error_with("metric", R"("blue")").starts_with("tune.metric: "));
  CHECK(error_with("mettric", "1").starts_with("tune.mettric: "));
}

TEST_CASE("tuning writes every trial and a sweep with the best setting of each strategy") {
  const TemporaryFolder folder;
  Json sweep = tiny_sweep();
  sweep["training"]["updates"] = 30;
  sweep["evaluation"].update({{"every", 30}, {"draws", 1}});
  sweep["tune"] = {{"grid", {{"training.learning_rate", {1e-9, 1e-2, 1e30}}}}, {"metric", "loss"}};
  const std::filesystem::path file = folder.path() / "sweep.json", out = folder.path() / "out";
  write_file(file, format_json(sweep));
  std::vector<std::string> arguments = run_arguments(file, out);
  arguments.front() = "tune";
  const Ended ended = run_program(arguments);
  CAPTURE(ended.error, ended.output);
  REQUIRE(ended.status == 1);

  const Json tuning = read_json(out / "tuning.json");
  REQUIRE(tuning.at("trials").size() == 6);
  for (const Json& trial : tuning["trials"]) {
    CHECK(std::filesystem::exists(out / "runs" / trial.at("run_id").get<std::string>() / "result.json"));
    CHECK(trial.at("seed") == 1001);
    CHECK(trial.contains("failure") == (trial.at("set").at("training.learning_rate") == 1e30));
  }
  // Next to nothing is learned with 1e-9, and 1e30 leaves the numbers.
  for (const Json& best : tuning.at("best")) CHECK(best.at("set").at("training.learning_rate") == 1e-2);
  const Sweep tuned = read_sweep(out / "tuned.json", {});
  REQUIRE(tuned.runs.size() == 2);
  for (const RunSpec& run : tuned.runs) CHECK(run.training.learning_rate == 1e-2);

  sweep["tune"]["grid"]["training.learning_rate"] = {1e30};
  write_file(file, format_json(sweep));
  const Ended without = run_program(arguments);
  CHECK(without.status == 1);
  CHECK_THAT(without.error,
             Catch::Contains("tune: no setting of ") && Catch::Contains("The loss is not a finite number"));
}

}  // namespace moe
