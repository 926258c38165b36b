#include "harness/result_set.h"

#include "core/error.h"
#include "core/text.h"
#include "data/digest.h"
#include "harness/result_reader.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace moe {
namespace {

void flatten(const Json& config, const std::string& prefix, Json& flat) {
  for (const auto& [key, value] : config.items()) {
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      flatten(value, path, flat);
    } else if (path != "data.root") {  // where the data lies is no property of a run
      flat[path] = value;
    }
  }
}

/// Keys with two different values among the runs. A run without the key says nothing: another router, or an older file.
std::vector<std::string> varying_keys(const std::vector<RunResult>& runs) {
  std::vector<std::string> keys;
  Json first_seen = Json::object();
  for (const RunResult& run : runs) {
    for (const auto& [key, value] : run.settings.items()) {
      const auto seen = first_seen.find(key);
      if (seen == first_seen.end()) {
        first_seen[key] = value;
      } else if (*seen != value && std::find(keys.begin(), keys.end(), key) == keys.end()) {
        keys.push_back(key);
      }
    }
  }
  return keys;
}

std::string value_of(const RunResult& run, const std::string& key) {
  const auto value = run.settings.find(key);
  return value == run.settings.end() ? "" : setting_text(*value);
}

/// The axes that tell settings apart: those of the strategy are in its label, seeds are aggregated, and an axis that
/// follows from the ones before it (the sizes that a preset brings) adds nothing.
std::vector<std::string> setting_axes(const ResultSet& results) {
  std::vector<std::string> kept;
  std::map<const RunResult*, std::string> names;
  for (const std::string& axis : results.axes) {
    if (axis.starts_with("strategy.") || axis == "training.seed") continue;
    std::map<std::string, std::string> value_by_name;
    bool splits = false;
    for (const RunResult& run : results.runs) {
      const std::string value = value_of(run, axis);
      const auto [entry, is_new] = value_by_name.emplace(names[&run], value);
      splits = splits || (!is_new && entry->second != value);
    }
    if (!splits) continue;
    kept.push_back(axis);
    for (const RunResult& run : results.runs) names[&run] += value_of(run, axis) + "\n";
  }
  return kept;
}

void name_settings(ResultSet& results) {
  const std::vector<std::string> axes = setting_axes(results);
  for (RunResult& run : results.runs) {
    std::vector<std::string> parts;
    for (const std::string& axis : axes) {
      const std::string key = axis.substr(axis.rfind('.') + 1);
      parts.push_back(axis == "data.directions" ? value_of(run, axis) : key + " " + value_of(run, axis));
    }
    run.setting = join(parts, ", ");
  }
}

void put_in_display_order(std::vector<RunResult>& runs, const std::vector<std::string>& routers) {
  const auto key = [&](const RunResult& run) {
    const auto place = std::find(routers.begin(), routers.end(), run.router) - routers.begin();
    return std::tuple(place, run.router, run.label != run.router, run.label, run.experts, run.setting, run.seed);
  };
  std::stable_sort(runs.begin(), runs.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

std::string sweep_name(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "sweep.json";
  if (std::filesystem::exists(file)) {
    const Json sweep = read_json(file);
    if (sweep.is_object() && sweep.contains("name") && sweep["name"].is_string()) return sweep["name"];
  }
  return std::filesystem::weakly_canonical(folder).filename().string();
}

void add_run(ResultSet& results, RunResult run) {
  const auto same = std::find_if(results.runs.begin(), results.runs.end(),
                                 [&](const RunResult& other) { return other.run_id == run.run_id; });
  if (same == results.runs.end()) {
    results.runs.push_back(std::move(run));
    return;
  }
  results.repeated += 1;
  if (run.finished && !same->finished) *same = std::move(run);
}

}  // namespace

std::string digest_of(const ResultSet& results) {
  Digest digest;
  digest.add(results.name);
  digest.add(results.unfinished);
  digest.add(results.repeated);
  for (const RunResult& run : results.runs) digest.add(run.digest);
  return digest.text();
}

std::string setting_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& item : value) parts.push_back(setting_text(item));
  return join(parts, " ");
}

ResultSet read_results(const std::vector<std::filesystem::path>& folders, const std::vector<std::string>& routers) {
  ResultSet results;
  std::vector<std::string> names;
  for (const std::filesystem::path& folder : folders) {
    MOE_CHECK(std::filesystem::is_directory(folder / "runs"), "{} is no folder of results: it has no folder runs/.",
              folder.string());
    names.push_back(sweep_name(folder));
    std::set<std::filesystem::path> run_folders;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "runs")) {
      if (entry.is_directory()) run_folders.insert(entry.path());
    }
    for (const std::filesystem::path& run_folder : run_folders) {
      if (std::filesystem::exists(run_folder / "result.json")) {
        add_run(results, read_run_result(run_folder / "result.json"));
      } else {
        results.unfinished += 1;
      }
    }
  }
  results.name = join(names, " + ");
  for (RunResult& run : results.runs) {
    Json flat = Json::object();
    flatten(run.settings, "", flat);
    run.settings = std::move(flat);
  }
  results.axes = varying_keys(results.runs);
  name_settings(results);
  put_in_display_order(results.runs, routers);
  return results;
}

}  // namespace moe
