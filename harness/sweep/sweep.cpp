#include "harness/sweep/sweep.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/load_corpus.h"
#include "data/text_corpus.h"
#include "harness/sweep/claim.h"
#include "harness/sweep/config_paths.h"
#include "harness/sweep/grid.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/set_option.h"
#include "harness/sweep/sweep_override.h"
#include "harness/sweep/tune_settings.h"
#include "routers/option_files.h"
#include "routers/registry.h"

#include <algorithm>
#include <unordered_set>

namespace moe {
namespace {

/// Routers that the file names anywhere. One that does not exist stands for the nearest that does, or for all, so that
/// its options are checked beside the error.
std::vector<std::string> named_routers(const Json& sweep) {
  std::vector<std::string> names = {StrategySpec{}.router};
  const auto add = [&](const Json& name) {
    if (!name.is_string()) return;
    const std::vector<std::string> known = router_names();
    const std::optional<std::string> meant = nearest(name.get<std::string>(), known);
    if (std::count(known.begin(), known.end(), name.get<std::string>()) > 0) {
      names.push_back(name.get<std::string>());
    } else if (meant) {
      names.push_back(*meant);
    } else {
      names.insert(names.end(), known.begin(), known.end());
    }
  };
  const auto add_item = [&](const Json& item) {  // a name, or an object that has one somewhere
    add(item);
    if (!item.is_object()) return;
    for (const PathValue& leaf : leaves(item)) {
      if (leaf.path == "router" || leaf.path == "strategy.router") add(leaf.value);
    }
  };
  add_item(sweep);
  for (const char* list : {"/include", "/grid/strategy", "/grid/strategy.router"}) {
    const Json::json_pointer pointer(list);
    if (!sweep.contains(pointer)) continue;
    const Json& items = sweep.at(pointer);
    if (items.is_array()) std::for_each(items.begin(), items.end(), add_item);
  }
  return names;
}

void check_parts(const Json& sweep, ConfigErrors& errors) {
  std::vector<std::string> known = {"$schema",   "name",   "grid", "include", "exclude",
                                    "overrides", "claims", "tune", "parallel"};
  known.insert(known.end(), section_names().begin(), section_names().end());
  for (const auto& [key, value] : sweep.items()) {
    const bool is_known = std::count(known.begin(), known.end(), key) > 0;
    errors.check(is_known, key, unknown_key_sentence(key, known));
  }
}

std::string read_name(const Json& sweep, const std::filesystem::path& file, ConfigErrors& errors) {
  const Json name = sweep.value("name", Json(file.stem().string()));
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  const std::string text = name.is_string() ? name.get<std::string>() : "";
  const bool good = !text.empty() && text.front() != '.' && std::all_of(text.begin(), text.end(), is_allowed);
  errors.check(
      good, "name",
      fmt::format("found {}, expected a name of letters, digits, \".\", \"-\" and \"_\": results go to a folder "
                  "of this name.",
                  short_json(name)));
  return text;
}

Json base_of(const Json& sweep) {
  Json base = Json::object();
  for (const std::string& section : section_names()) {
    if (sweep.contains(section)) base[section] = sweep[section];
  }
  return base;
}

/// Collects the errors of runs. A value of `strategy` that several routers refuse, each with its own limits, is one
/// error.
class RunErrors {
 public:
  explicit RunErrors(ConfigErrors& errors) : errors_(errors) {}

  void add(const ConfigError& error, const std::string& place) {
    const bool is_new = places_.insert(place).second;
    if (is_new || !error.path.starts_with("strategy.")) errors_.add(place, error.sentence);
  }

 private:
  ConfigErrors& errors_;
  std::unordered_set<std::string> places_;
};

void add_runs(std::vector<Candidate> candidates, const std::vector<SweepOverride>& overrides,
              const std::vector<Overlay>& excludes, const std::vector<std::string>& routers, Sweep& sweep,
              RunErrors& errors) {
  std::unordered_set<std::string> seen;
  for (Candidate& candidate : candidates) {
    ConfigErrors own;
    RunSpec spec = read_run_spec(candidate.config, routers, own);
    Json config = write_run_spec(spec);
    if (apply_overrides(overrides, config, candidate)) {
      own = {};
      spec = read_run_spec(candidate.config, routers, own);
      config = write_run_spec(spec);
    }
    const auto excluded = [&](const Overlay& entry) { return matches(config, entry); };
    if (std::any_of(excludes.begin(), excludes.end(), excluded)) continue;
    for (const ConfigError& error : own.errors()) errors.add(error, candidate.place_of(error.path));
    if (seen.insert(config.dump()).second) sweep.runs.push_back(std::move(spec));
  }
}

/// A wrong value in the base that every run overrides is an error too, though no run would find it.
void check_overridden(const Json& base, const std::vector<Axis>& axes, const std::vector<std::string>& routers,
                      RunErrors& errors) {
  const auto check = [&](const Json& config) {
    ConfigErrors found;
    read_run_spec(config, routers, found);
    for (const ConfigError& error : found.errors()) {
      const std::string key = split(error.path, '[').front();
      const auto overrides = [&](const Axis& axis) { return axis.overrides(key); };
      const bool is_overridden = std::any_of(axes.begin(), axes.end(), overrides);
      if (is_overridden && find_at(base, key) != nullptr) errors.add(error, error.path);
    }
  };
  check(base);
  for (const std::string& router : routers) {
    Json config = base;
    merge_at(config, "strategy.router", router);
    check(config);
  }
}

/// Whether a part of the sweep says something about a key of this name, in whichever form.
bool names_key(const Json& part, const std::string& name) {
  if (!part.is_structured()) return false;
  for (const auto& [key, value] : part.items()) {
    if (part.is_object() && (key == name || key.ends_with("." + name))) return true;
    if (names_key(value, name)) return true;
  }
  return false;
}

/// Whether runs may have other compatibility profiles than the base. Options written out in the base would win over
/// them.
bool profiles_differ(const Json& given) {
  for (const auto& [part, value] : given.items()) {
    const bool is_section = std::count(section_names().begin(), section_names().end(), part) > 0;
    if (!is_section && names_key(value, "compat")) return true;
  }
  return false;
}

Json fill_defaults(const Json& given, const Sweep& sweep, const std::vector<std::string>& routers) {
  ConfigErrors reported_by_the_runs;
  const RunSpec base = read_run_spec(base_of(given), routers, reported_by_the_runs);
  const Json full = write_run_spec(base);
  const auto differ = [&](const auto& key_of) {
    return std::any_of(sweep.runs.begin(), sweep.runs.end(),
                       [&](const RunSpec& run) { return key_of(run) != key_of(base); });
  };
  const bool routers_differ = differ([](const RunSpec& run) { return run.strategy.router; });
  const bool presets_differ = differ([](const RunSpec& run) { return run.model.preset; });

  Json filled = {{"name", sweep.name}};
  for (const std::string& section : section_names()) {
    const bool as_given =
        (section == "strategy" && (routers_differ || profiles_differ(given))) || (section == "model" && presets_differ);
    filled[section] = as_given ? given.value(section, Json::object()) : full[section];
  }
  for (const auto& [key, value] : given.items()) {
    if (!filled.contains(key)) filled[key] = value;
  }
  return filled;
}

}  // namespace

Sweep read_sweep(const std::filesystem::path& file, const std::vector<std::string>& settings, ConfigErrors& errors) {
  std::vector<std::string> duplicates;
  Json json = parse_json(read_file(file), file.string(), duplicates);
  MOE_CHECK(json.is_object(), "{}: found {}, expected an object.", file.string(), short_json(json));
  for (const std::string& path : duplicates) errors.add(path, duplicate_key_sentence);

  // Routers that --set replaces count too: it may leave options in the base that only they have.
  std::vector<std::string> routers = named_routers(json);
  apply_settings(json, settings, errors);
  for (std::string& name : named_routers(json)) routers.push_back(std::move(name));
  std::sort(routers.begin(), routers.end());
  routers.erase(std::unique(routers.begin(), routers.end()), routers.end());
  const ConfigPaths paths(routers);
  const ConfigPaths& all_paths = all_config_paths();

  Sweep sweep;
  check_parts(json, errors);
  sweep.name = read_name(json, file, errors);
  sweep.claims = json.value("claims", Json::array());
  sweep.tune = json.value("tune", Json());
  read_settings(sweep.parallel, json.value("parallel", Json::object()), "parallel", errors);
  const std::vector<Axis> axes = read_axes(json.value("grid", Json::object()), paths, errors);
  const std::vector<Overlay> includes = read_entries(json.value("include", Json::array()), "include", paths, errors);
  const std::vector<Overlay> excludes =
      read_entries(json.value("exclude", Json::array()), "exclude", all_paths, errors);
  for (const Overlay& entry : excludes) check_conditions(entry, all_paths, errors);

  RunErrors run_errors(errors);
  const std::vector<SweepOverride> overrides =
      read_overrides(json.value("overrides", Json::array()), all_paths, paths, errors);
  add_runs(expand(base_of(json), axes, includes, errors), overrides, excludes, routers, sweep, run_errors);
  check_overridden(base_of(json), axes, routers, run_errors);
  check_claims(sweep.claims, all_paths, errors);
  if (!sweep.tune.is_null()) check_tune(sweep.tune, sweep.runs, paths, errors);
  errors.check(!sweep.runs.empty() || !errors.empty(), "exclude", "every run is excluded; at least one must be left.");
  sweep.resolved = fill_defaults(json, sweep, routers);
  return sweep;
}

Sweep read_sweep(const std::filesystem::path& file, const std::vector<std::string>& settings) {
  ConfigErrors errors;
  Sweep sweep = read_sweep(file, settings, errors);
  errors.throw_if_any(file.string());
  return sweep;
}

void check_files(const Sweep& sweep, ConfigErrors& errors) {
  for (const RunSpec& run : sweep.runs) {
    for (const OptionFile& named : option_files(find_router(run.strategy.router), run.strategy.options)) {
      try {
        read_file(named.file);
      } catch (const Error& error) {
        errors.add(join_path("strategy", named.option), error.what());
      }
    }
  }
}

std::vector<std::string> check_data(const Sweep& sweep, ConfigErrors& errors) {
  std::unordered_set<std::string> seen;
  std::vector<std::string> notes;
  for (const RunSpec& run : sweep.runs) {
    if (!seen.insert(write_settings(run.data).dump()).second) continue;
    ConfigErrors unusable;
    check_settings(run.data, "data", unusable);
    if (unusable.empty()) check_data(run.data, "data", errors, notes);
  }
  std::sort(notes.begin(), notes.end());  // one folder may serve several sections
  notes.erase(std::unique(notes.begin(), notes.end()), notes.end());
  return notes;
}

}  // namespace moe
