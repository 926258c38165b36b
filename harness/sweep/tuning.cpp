#include "harness/sweep/tuning.h"

#include "core/error.h"
#include "harness/sweep/config_paths.h"
#include "harness/sweep/grid.h"
#include "harness/sweep/json_tools.h"
#include "routers/registry.h"

#include <algorithm>
#include <map>

namespace moe {
namespace {

constexpr const char* experts_path = "strategy.experts";

/// What a strategy is, as dotted keys: router, options and objective, without the number of experts.
std::map<std::string, Json> strategy_keys(const RunSpec& spec) {
  std::map<std::string, Json> keys;
  for (const PathValue& leaf : leaves(write_run_spec(spec)["strategy"], "strategy")) {
    if (leaf.path != experts_path) keys[leaf.path] = leaf.value;
  }
  return keys;
}

/// The router, and of its other keys those that tell its strategies in the sweep apart.
Json conditions_of(const RunSpec& spec, const std::vector<RunSpec>& runs) {
  Json where = {{"strategy.router", spec.strategy.router}};
  for (const auto& [path, value] : strategy_keys(spec)) {
    const bool tells_apart = std::any_of(runs.begin(), runs.end(), [&](const RunSpec& other) {
      return other.strategy.router == spec.strategy.router && strategy_keys(other)[path] != value;
    });
    if (tells_apart) where[path] = value;
  }
  return where;
}

/// All combinations of the grid's values.
std::vector<Json> settings_of(const Json& grid) {
  std::vector<Json> settings = {Json::object()};
  for (const auto& [path, values] : grid.items()) {
    std::vector<Json> longer;
    for (const Json& setting : settings) {
      for (const Json& value : values) {
        longer.push_back(setting);
        longer.back()[path] = value;
      }
    }
    settings = std::move(longer);
  }
  return settings;
}

/// `run` with a setting and a seed, scored on the validation set in place of the test sets.
RunSpec trial_spec(const RunSpec& run, const Json& set, const Json& seed) {
  Json config = write_run_spec(run);
  for (const auto& [path, value] : set.items()) merge_at(config, path, value);
  config["training"]["seed"] = seed;
  config["data"]["test"] = Json::array({run.data.valid});
  config["evaluation"]["routing_swaps"] = false;  // of no use for a choice
  config["evaluation"]["inference_modes"] = false;
  ConfigErrors errors;
  RunSpec spec = read_run_spec(config, {run.strategy.router}, errors);
  errors.throw_if_any("tune.grid " + set.dump());
  return spec;
}

/// Conditions on keys that the configuration has: a strategy without experts meets one on their number.
bool matches_at(const Json& config, Overlay conditions) {
  std::erase_if(conditions.keys, [&](const PathValue& key) { return find_at(config, key.path) == nullptr; });
  return matches(config, conditions);
}

/// The one configuration for each strategy that matches `at`, seeds aside.
std::vector<RunSpec> representatives(const Sweep& sweep, const Json& at) {
  ConfigErrors errors;
  const Overlay conditions = at.empty() ? Overlay{} : read_entry(at, "tune.at", all_config_paths(), errors);
  std::map<std::map<std::string, Json>, Json> config_of;  // without the seed
  std::vector<RunSpec> found;
  for (const RunSpec& run : sweep.runs) {
    Json config = write_run_spec(run);
    if (!matches_at(config, conditions)) continue;
    erase_at(config, "training.seed");
    const auto [entry, is_new] = config_of.emplace(strategy_keys(run), config);
    MOE_CHECK(entry->second == config,
              "tune.at: several configurations of \"{}\" match; name one value of each key in which they differ: {}.",
              run.strategy.label(), differing_keys(config, entry->second).dump());
    if (is_new) found.push_back(run);
  }
  MOE_CHECK(!found.empty(), "tune.at: no run of the sweep matches.");
  return found;
}

}  // namespace

std::vector<Trial> tuning_trials(const Sweep& sweep, const TuneSettings& settings) {
  std::vector<Trial> trials;
  for (const RunSpec& run : representatives(sweep, settings.at)) {
    const Json where = conditions_of(run, sweep.runs);
    for (const Json& set : settings_of(settings.grid)) {
      for (const Json& seed : settings.seeds) {
        trials.push_back({run.strategy.label(), where, set, trial_spec(run, set, seed)});
      }
    }
  }
  return trials;
}

Sweep trial_sweep(const Sweep& sweep, const std::vector<Trial>& trials) {
  Sweep result;
  result.name = sweep.name + "-tuning";
  const Json first = write_run_spec(trials.front().spec);
  result.resolved = {{"name", result.name}};
  result.resolved.update(first);
  for (const Trial& trial : trials) {
    result.runs.push_back(trial.spec);
    const Json own = differing_keys(write_run_spec(trial.spec), first);
    if (!own.empty()) result.resolved["include"].push_back(own);
  }
  return result;
}

}  // namespace moe
