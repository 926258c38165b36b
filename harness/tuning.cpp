#include "harness/tuning.h"

#include "core/error.h"
#include "harness/config_paths.h"
#include "harness/grid.h"
#include "harness/json_tools.h"
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

void TuneSettings::visit(FieldVisitor& visitor) {
  const Json keys = {{"type", "object"}};
  visitor.field({.key = "grid",
                 .help = "what every strategy tries: keys with lists of values, crossed",
                 .schema = {{"type", "object"}, {"minProperties", 1}}},
                grid);
  visitor.field(
      {.key = "at", .help = "conditions on the runs of the sweep that stand for their strategy", .schema = keys}, at);
  visitor.field({.key = "seeds",
                 .help = "seeds of the trials, none of which a run of the sweep has",
                 .schema = {{"type", "array"}, {"items", {{"type", "integer"}, {"minimum", 0}}}, {"minItems", 1}}},
                seeds);
  visitor.field({.key = "metric", .help = "what is compared on the validation set", .choices = {"bleu", "loss"}},
                metric);
}

void check_tune(const Json& tune, const std::vector<RunSpec>& runs, const ConfigPaths& paths, ConfigErrors& errors) {
  TuneSettings settings;
  read_settings(settings, tune, "tune", errors);
  if (!tune.is_object()) return;
  errors.check(settings.grid.is_object() && !settings.grid.empty(), "tune.grid",
               "missing; it says what is tried, such as {\"training.learning_rate\": [1e-3, 2e-3]}.");
  if (settings.grid.is_object()) {
    for (const auto& [path, values] : settings.grid.items()) {
      const std::string place = "tune.grid." + path;
      if (!paths.check(path, place, errors)) continue;
      errors.check(values.is_array() && !values.empty() && !paths.is_single_value(path, values), place,
                   fmt::format("found {}, expected a list of at least one value.", short_json(values)));
      if (!values.is_array()) continue;
      for (std::size_t i = 0; i < values.size(); ++i) {
        paths.check_value(path, values[i], fmt::format("{}[{}]", place, i), errors);
      }
    }
  }
  if (settings.at.is_object() && !settings.at.empty()) {
    check_conditions(read_entry(settings.at, "tune.at", paths, errors), paths, errors);
  }
  const bool seeds_are_numbers = settings.seeds.is_array() && !settings.seeds.empty() &&
                                 std::all_of(settings.seeds.begin(), settings.seeds.end(), [](const Json& seed) {
                                   return seed.is_number_integer() && seed.get<std::int64_t>() >= 0;
                                 });
  errors.check(seeds_are_numbers, "tune.seeds",
               fmt::format("found {}, expected a list of whole numbers from 0.", short_json(settings.seeds)));
  if (!seeds_are_numbers) return;
  for (const RunSpec& run : runs) {
    const bool shared =
        std::find(settings.seeds.begin(), settings.seeds.end(), Json(run.training.seed)) != settings.seeds.end();
    errors.check(
        !shared, "tune.seeds",
        fmt::format("{} is a seed of the sweep's runs, which must not choose their own settings.", run.training.seed));
  }
}

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
