#include "harness/commands/tune_command.h"

#include "core/files.h"
#include "harness/report/tables/text_table.h"
#include "harness/results/result_set.h"
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

constexpr int tuning_schema_version = 1;

/// What one trial reached on the validation set, over its directions.
Json trial_record(const Trial& trial, const RunResult& result) {
  std::vector<double> bleu, loss;
  for (const TestScore& score : result.scores) {
    bleu.push_back(score.bleu.score);
    loss.push_back(score.loss.value_or(INFINITY));
  }
  return {{"strategy", trial.strategy},
          {"set", trial.set},
          {"seed", trial.spec.training.seed},
          {"run_id", result.run_id},
          {"bleu", mean(bleu)},
          {"loss", mean(loss)},
          {"undertrained", result.undertrained()}};
}

/// The best setting of one strategy, from the records of its trials in their order.
Json best_of(const std::vector<Json>& records, const Json& where, const std::string& metric) {
  std::map<std::string, std::vector<double>> values;
  for (const Json& record : records) values[record.at("set").dump()].push_back(record.at(metric).get<double>());
  const double sign = find_metric(metric).better == Better::lower ? -1 : 1;
  const auto goodness = [&](const Json& record) { return sign * mean(values.at(record.at("set").dump())); };
  const auto best = std::max_element(records.begin(), records.end(),
                                     [&](const Json& a, const Json& b) { return goodness(a) < goodness(b); });
  return {
      {"strategy", best->at("strategy")}, {"where", where}, {"set", best->at("set")}, {metric, sign * goodness(*best)}};
}

/// Keys whose best value is the first or last of at least two that were tried: a better one may lie beyond.
std::vector<std::string> keys_at_an_end(const Json& set, const Json& grid) {
  std::vector<std::string> keys;
  for (const auto& [path, values] : grid.items()) {
    if (values.size() > 1 && (set.at(path) == values.front() || set.at(path) == values.back())) keys.push_back(path);
  }
  return keys;
}

/// The sweep file with what was chosen, in place of earlier choices for the same strategies.
Json tuned_sweep(const RunRequest& request, const Json& best) {
  std::vector<std::string> duplicates;
  Json sweep = parse_json(read_file(request.sweep), request.sweep.string(), duplicates);
  ConfigErrors none;
  apply_settings(sweep, request.settings, none);
  Json overrides = Json::array();
  for (const Json& entry : sweep.value("overrides", Json::array())) {
    const bool replaced =
        std::any_of(best.begin(), best.end(), [&](const Json& choice) { return choice["where"] == entry.at("where"); });
    if (!replaced) overrides.push_back(entry);
  }
  for (const Json& choice : best) overrides.push_back({{"where", choice["where"]}, {"set", choice["set"]}});
  sweep["overrides"] = overrides;
  return sweep;
}

/// Of every trial, in their order; empty where one has no finished result.
std::vector<Json> trial_records(const std::vector<Trial>& trials, const SweepPlan& plan, const ResultSet& results) {
  std::map<std::string, const PlannedRun*> planned;
  for (const PlannedRun& run : plan.runs) planned[write_run_spec(run.spec).dump()] = &run;
  std::vector<Json> records;
  for (const Trial& trial : trials) {
    const RunResult* result = results.find(planned.at(write_run_spec(trial.spec).dump())->id);
    if (result == nullptr || !result->finished()) return {};
    records.push_back(trial_record(trial, *result));
  }
  return records;
}

Json choose(const std::vector<Trial>& trials, const std::vector<Json>& records, const std::string& metric) {
  Json best = Json::array();
  for (std::size_t begin = 0, end = 0; begin < trials.size(); begin = end) {
    while (end < trials.size() && trials[end].where == trials[begin].where) ++end;
    const auto first = records.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = records.begin() + static_cast<std::ptrdiff_t>(end);
    best.push_back(best_of({first, last}, trials[begin].where, metric));
  }
  return best;
}

void describe(const Json& best, const TuneSettings& settings, std::ostream& out) {
  TextTable table{
      {"strategy", "best setting", "validation " + find_metric(settings.metric).title, "at an end of the grid"},
      {false, false, true, false},
      {}};
  for (const Json& choice : best) {
    table.rows.push_back({choice["strategy"], choice["set"].dump(),
                          fmt::format("{:.4g}", choice[settings.metric].get<double>()),
                          fmt::format("{}", fmt::join(keys_at_an_end(choice["set"], settings.grid), ", "))});
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
  if (status != ExitStatus::success || request.dry_run) return status;
  const std::vector<Json> records = trial_records(trials, plan, results);
  if (records.empty()) {
    out << "Some trials have no result yet; run `tune` again without --shard to choose.\n";
    return status;
  }
  const Json best = choose(trials, records, settings.metric);
  write_file(folder / "tuning.json", format_json({{"schema_version", tuning_schema_version},
                                                  {"name", sweep.name},
                                                  {"metric", settings.metric},
                                                  {"set", trials.front().spec.data.test.front()},
                                                  {"best", best},
                                                  {"trials", records}}));
  write_file(folder / "tuned.json", format_json(tuned_sweep(request, best)));
  if (request.verbosity != Verbosity::quiet) {
    describe(best, settings, out);
    out << "\nTuned sweep: " << (folder / "tuned.json").string() << "\n";
  }
  return status;
}

}  // namespace moe
