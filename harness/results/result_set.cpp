#include "harness/results/result_set.h"

#include "core/error.h"
#include "core/text.h"
#include "data/digest.h"
#include "harness/sweep/setting_names.h"

#include <algorithm>
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

void name_settings(ResultSet& results) {
  std::vector<FlatSettings> settings;
  for (const RunResult& run : results.runs) settings.push_back(run.settings);
  results.axes = varying_keys(settings);
  const std::vector<std::string> names = setting_names(settings, results.axes);
  for (std::size_t i = 0; i < names.size(); ++i) results.runs[i].setting = names[i];
}

void put_in_display_order(std::vector<RunResult>& runs, const std::vector<std::string>& routers) {
  const auto key = [&](const RunResult& run) {
    const auto place = std::find(routers.begin(), routers.end(), run.strategy.router) - routers.begin();
    const auto& [router, label, experts] = run.strategy;
    return std::tuple(place, router, label != router, label, experts, run.setting, run.seed);
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
  if (run.finished() && !same->finished()) *same = std::move(run);
}

}  // namespace

const RunResult* ResultSet::find(const std::string& run_id) const {
  const auto found = std::find_if(runs.begin(), runs.end(), [&](const RunResult& run) { return run.run_id == run_id; });
  return found == runs.end() ? nullptr : &*found;
}

std::string digest_of(const ResultSet& results) {
  Digest digest;
  digest.add(results.name);
  digest.add(results.unfinished);
  digest.add(results.repeated);
  for (const RunResult& run : results.runs) digest.add(run.file_digest);
  return digest.text();
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
  name_settings(results);
  put_in_display_order(results.runs, routers);
  return results;
}

}  // namespace moe
