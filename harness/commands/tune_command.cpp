#include "harness/commands/tune_command.h"

#include "core/error.h"
#include "core/files.h"
#include "harness/report/tables/text_table.h"
#include "harness/results/result_set.h"
#include "harness/results/tuning_record.h"
#include "harness/run/sweep_plan.h"
#include "harness/sweep/set_option.h"
#include "harness/sweep/tuning.h"
#include "metrics/statistics.h"
#include "metrics/table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// What one trial reached on the validation set, over its directions.
TuningTrial trial_record(const Trial& trial, const RunResult& result) {
  TuningTrial record{.strategy = trial.strategy,
                     .set = trial.set,
                     .seed = trial.spec.training.seed,
                     .run_id = result.run_id,
                     .undertrained = result.undertrained(),
                     .failure = result.failure.value_or("")};
  if (!result.finished()) return record;
  std::vector<double> bleu, loss;
  for (const TestScore& score : result.scores) {
    bleu.push_back(score.bleu.score);
    loss.push_back(score.loss.value_or(INFINITY));
  }
  record.bleu = mean(bleu);
  record.loss = mean(loss);
  return record;
}

/// The best setting of one strategy, from its trials in their order. One that failed with a seed is worse than any that
/// did not.
TuningChoice best_of(const std::vector<TuningTrial>& trials, const Json& where, const std::string& metric) {
  const double sign = find_metric(metric).better == Better::lower ? -1 : 1;
  std::map<std::string, std::vector<double>> values;
  for (const TuningTrial& trial : trials) {
    const std::optional<double>& score = tuning_score(trial, metric);
    values[trial.set.dump()].push_back(score ? sign * *score : -INFINITY);
  }
  const auto goodness = [&](const TuningTrial& trial) { return mean(values.at(trial.set.dump())); };
  const auto best = std::max_element(trials.begin(), trials.end(),
                                     [&](const auto& a, const auto& b) { return goodness(a) < goodness(b); });
  const double reached = goodness(*best);
  if (!std::isfinite(reached)) {
    const auto failed =
        std::find_if(trials.begin(), trials.end(), [](const auto& trial) { return !trial.failure.empty(); });
    throw Error(fmt::format("tune: no setting of {} ran through with every seed: {}", best->strategy,
                            failed == trials.end() ? "the loss is not a finite number." : failed->failure),
                ExitStatus::runs_failed);
  }
  TuningChoice choice{.strategy = best->strategy, .where = where, .set = best->set};
  tuning_score(choice, metric) = sign * reached;
  return choice;
}

/// The sweep file with what was chosen, in place of earlier choices for the same strategies.
Json tuned_sweep(const RunRequest& request, const std::vector<TuningChoice>& best) {
  std::vector<std::string> duplicates;
  Json sweep = parse_json(read_file(request.sweep), request.sweep.string(), duplicates);
  ConfigErrors none;
  apply_settings(sweep, request.settings, none);
  Json overrides = Json::array();
  for (const Json& entry : sweep.value("overrides", Json::array())) {
    const bool replaced =
        std::any_of(best.begin(), best.end(), [&](const auto& choice) { return choice.where == entry.at("where"); });
    if (!replaced) overrides.push_back(entry);
  }
  for (const TuningChoice& choice : best) overrides.push_back({{"where", choice.where}, {"set", choice.set}});
  sweep["overrides"] = overrides;
  return sweep;
}

/// Of every trial, in their order; empty where one has no result.
std::vector<TuningTrial> trial_records(const std::vector<Trial>& trials, const SweepPlan& plan,
                                       const ResultSet& results) {
  std::map<std::string, const PlannedRun*> planned;
  for (const PlannedRun& run : plan.runs) planned[write_run_spec(run.spec).dump()] = &run;
  std::vector<TuningTrial> records;
  for (const Trial& trial : trials) {
    const RunResult* result = results.find(planned.at(write_run_spec(trial.spec).dump())->id);
    if (result == nullptr) return {};
    records.push_back(trial_record(trial, *result));
  }
  return records;
}

std::vector<TuningChoice> choose(const std::vector<Trial>& trials, const std::vector<TuningTrial>& records,
                                 const std::string& metric) {
  std::vector<TuningChoice> best;
  for (std::size_t begin = 0, end = 0; begin < trials.size(); begin = end) {
    while (end < trials.size() && trials[end].where == trials[begin].where) ++end;
    const auto first = records.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = records.begin() + static_cast<std::ptrdiff_t>(end);
    best.push_back(best_of({first, last}, trials[begin].where, metric));
  }
  return best;
}

void describe(const TuningRecord& tuning, std::ostream& out) {
  TextTable table{{"strategy", "best setting", "validation " + find_metric(tuning.metric).title,
                   "at an end of the grid", "undertrained trials"},
                  {false, false, true, false, true},
                  {}};
  for (const TuningChoice& choice : tuning.best) {
    table.rows.push_back({choice.strategy, choice.set.dump(),
                          fmt::format("{:.4g}", tuning_score(choice, tuning.metric).value_or(NAN)),
                          fmt::format("{}", fmt::join(keys_at_an_end(tuning, choice), ", ")),
                          fmt::format("{}", undertrained_trials(tuning, choice))});
  }
  out << to_markdown(table);
}

}  // namespace

ExitStatus tune_sweep(const RunRequest& request, std::ostream& out) {
  const Sweep sweep = read_sweep(request.sweep, request.settings);
  MOE_CHECK(!sweep.tune.is_null(), "{}: tune: missing; it says which settings every strategy tries.",
            request.sweep.string());
  TuneSettings settings;
  ConfigErrors errors;
  read_settings(settings, sweep.tune, "tune", errors);
  const std::vector<Trial> trials = tuning_trials(sweep, settings);
  const Sweep runs = trial_sweep(sweep, trials);
  const fs::path folder = request.out.empty() ? fs::path("results") / sweep.name / "tuning" : request.out;
  const auto [status, plan, results] = execute_sweep(runs, request, folder, out);
  if ((status != ExitStatus::success && status != ExitStatus::runs_failed) || request.dry_run) return status;
  TuningRecord tuning{.name = sweep.name, .metric = settings.metric, .set = trials.front().spec.data.test.front()};
  tuning.trials = trial_records(trials, plan, results);
  if (tuning.trials.empty()) {
    out << "Some trials have no result yet; run `tune` again without --shard to choose.\n";
    return status;
  }
  write_tuning(folder / "tuning.json", tuning);  // the trials stay, also where they leave nothing to choose from
  tuning.best = choose(trials, tuning.trials, settings.metric);
  write_tuning(folder / "tuning.json", tuning);
  write_file(folder / "tuned.json", format_json(tuned_sweep(request, tuning.best)));
  if (request.verbosity != Verbosity::quiet) {
    describe(tuning, out);
    out << "\nTuned sweep: " << (folder / "tuned.json").string() << "\n";
  }
  return status;
}

}  // namespace moe
