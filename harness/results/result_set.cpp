#include "harness/results/result_set.h"

#include "core/error.h"
#include "core/text.h"
#include "data/digest.h"
#include "harness/results/folder_differences.h"
#include "harness/results/planned_runs.h"
#include "harness/sweep/setting_names.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

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

/// Whether each strategy has one value of the key in all of its runs, as one that was tuned for it, or a budget of its
/// own with validations to it. Data are never a strategy's own.
bool belongs_to_strategy(const std::string& key, const std::vector<RunResult>& runs) {
  if (!key.starts_with("training.") && !key.starts_with("model.") && key != "evaluation.every") return false;
  std::map<std::pair<std::string, std::int64_t>, Json> value_of;
  for (const RunResult& run : runs) {
    if (!run.settings.contains(key)) continue;
    const auto [known, is_new] =
        value_of.emplace(std::pair(run.strategy.label, run.strategy.experts), run.settings[key]);
    if (known->second != run.settings[key]) return false;
  }
  return value_of.size() > 1;
}

void name_settings(ResultSet& results) {
  std::vector<FlatSettings> settings;
  for (const RunResult& run : results.runs) settings.push_back(run.settings);
  results.axes = varying_keys(settings);
  const std::vector<std::string> names = setting_names(settings, results.axes);
  std::vector<std::string> shared_axes = results.axes;
  std::erase_if(shared_axes, [&](const std::string& key) { return belongs_to_strategy(key, results.runs); });
  const std::vector<std::string> panels = setting_names(settings, shared_axes);
  for (std::size_t i = 0; i < names.size(); ++i) {
    results.runs[i].setting = names[i];
    results.runs[i].panel = panels[i];
  }
}

void put_in_display_order(std::vector<RunResult>& runs, const std::vector<std::string>& routers) {
  const auto key = [&](const RunResult& run) {
    const auto place = std::find(routers.begin(), routers.end(), run.strategy.router) - routers.begin();
    const auto& [router, label, experts, revision] = run.strategy;
    return std::tuple(place, router, label != router, label, experts, revision, run.setting, run.seed);
  };
  std::stable_sort(runs.begin(), runs.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

/// sweep.json of a folder, null where there is none.
Json read_sweep_file(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "sweep.json";
  return std::filesystem::exists(file) ? read_json(file) : Json();
}

std::string sweep_name(const Json& sweep, const std::filesystem::path& folder) {
  if (sweep.is_object() && sweep.contains("name") && sweep["name"].is_string()) return sweep["name"];
  return std::filesystem::weakly_canonical(folder).filename().string();
}

/// The sweep with claims and overrides that are lists; what is none is left out and named.
Json with_lists(Json sweep, const std::filesystem::path& folder, ResultSet& results) {
  for (const char* key : {"claims", "overrides"}) {
    if (!sweep.contains(key)) continue;
    const bool right = sweep[key].is_array() && (key == std::string("claims") ||
                                                 std::all_of(sweep[key].begin(), sweep[key].end(),
                                                             [](const Json& entry) { return entry.is_object(); }));
    if (right) continue;
    results.left_out.push_back(fmt::format("{}: {}: found {}, expected a list of objects.",
                                           (folder / "sweep.json").string(), key, short_json(sweep[key])));
    sweep[key] = Json::array();
  }
  return sweep;
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

RunResult read_with_flat_settings(const std::filesystem::path& file) {
  RunResult run = read_run_result(file);
  Json flat = Json::object();
  flatten(run.settings, "", flat);
  if (!run.imported()) flat["semantics_version"] = run.semantics_version;  // other formulas make another configuration
  run.settings = std::move(flat);
  return run;
}

/// Leaves out what a router computed before a fault in it was mended, where later results of it stand beside that.
void leave_out_older_revisions(ResultSet& results) {
  const auto revision = [](const RunResult& run) { return run.strategy.revision.value_or(1); };
  std::map<std::string, std::int64_t> newest;
  for (const RunResult& run : results.runs) {
    std::int64_t& of_router = newest[run.strategy.router];
    of_router = std::max(of_router, revision(run));
  }
  std::erase_if(results.runs, [&](const RunResult& run) {
    const std::int64_t latest = newest[run.strategy.router];
    if (revision(run) == latest) return false;
    results.left_out.push_back(fmt::format("{}: is of revision {} of {}, beside results of revision {}.",
                                           run.file.string(), revision(run), run.strategy.router, latest));
    return true;
  });
}

/// What `read` returns; nothing for a file that cannot be read, whose sentence joins left_out. A disk that fails is no
/// fault of the file and thrown on.
template <class Read>
auto read_or_leave_out(ResultSet& results, Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    if (error.status() != ExitStatus::request_wrong) throw;
    results.left_out.emplace_back(error.what());
    return std::nullopt;
  }
}

/// The result and what stands beside it.
std::optional<RunResult> read_run(ResultSet& results, const std::filesystem::path& run_folder) {
  std::optional<RunResult> run =
      read_or_leave_out(results, [&] { return read_with_flat_settings(run_folder / "result.json"); });
  if (run) run->latency = read_or_leave_out(results, [&] { return read_latency(run_folder); }).value_or(std::nullopt);
  return run;
}

/// The settings in the config.json of a run without a result; nothing where none can be read, or not yet.
std::optional<FlatSettings> settings_begun(const std::filesystem::path& run_folder) {
  try {
    const Json config = read_json(run_folder / "config.json");
    Json flat = Json::object();
    if (config.is_object()) flatten(config, "", flat);
    return flat.empty() ? std::nullopt : std::optional(std::move(flat));
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Names what no folder has of the sweeps; shards with folders of their own share one.
void name_not_begun(ResultSet& results, const std::vector<std::filesystem::path>& folders,
                    const std::vector<FlatSettings>& begun) {
  std::vector<Json> seen;
  for (const std::filesystem::path& folder : folders) {
    const Json sweep = read_sweep_file(folder);
    if (!sweep.is_object() || std::find(seen.begin(), seen.end(), sweep) != seen.end()) continue;
    for (std::string& name : runs_not_begun(folder, begun)) results.not_begun.push_back(std::move(name));
    seen.push_back(sweep);
  }
}

std::string first_names(std::vector<std::string> names, const std::string& separator) {
  constexpr std::size_t most_names = 5;
  const std::size_t more = names.size() - std::min(names.size(), most_names);
  names.resize(names.size() - more);
  return join(names, separator) + (more == 0 ? "" : fmt::format(" and {} more", more));
}

}  // namespace

const RunResult* ResultSet::find(const std::string& run_id) const {
  const auto found = std::find_if(runs.begin(), runs.end(), [&](const RunResult& run) { return run.run_id == run_id; });
  return found == runs.end() ? nullptr : &*found;
}

std::vector<std::filesystem::path> folders_of_runs(const std::filesystem::path& folder) {
  MOE_CHECK(std::filesystem::is_directory(folder / "runs"), "{} is no folder of results: it has no folder runs/.",
            folder.string());
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "runs")) {
    if (entry.is_directory()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> remarks_on(const ResultSet& results) {
  std::vector<std::string> remarks;
  for (const std::string& sentence : results.left_out) remarks.push_back("Left out: " + sentence);
  if (!results.unfinished.empty()) {
    remarks.push_back(fmt::format("Left out, without a result: {}.", first_names(results.unfinished, ", ")));
  }
  if (!results.not_begun.empty()) {
    remarks.push_back(
        fmt::format("The sweep plans runs that were not begun: {}.", first_names(results.not_begun, "; ")));
  }
  remarks.insert(remarks.end(), results.differences.begin(), results.differences.end());
  return remarks;
}

std::string digest_of(const ResultSet& results) {
  Digest digest;
  digest.add(results.name);
  for (const Json& sweep : results.sweeps) digest.add(sweep.dump());
  digest.add(std::ssize(results.unfinished));
  digest.add(std::ssize(results.not_begun));
  digest.add(results.repeated);
  for (const RunResult& run : results.runs) {
    digest.add(run.file_digest);
    if (run.latency) digest.add(write_record(*run.latency).dump());
  }
  for (const std::string& sentence : results.left_out) digest.add(sentence);
  return digest.text();
}

ResultSet read_results(const std::vector<std::filesystem::path>& folders, const std::vector<std::string>& routers) {
  ResultSet results;
  std::vector<std::string> names;
  std::vector<std::vector<FlatSettings>> settings;  // of each folder
  std::vector<FlatSettings> begun;                  // of runs of a sweep, with a result or without
  for (const std::filesystem::path& folder : folders) {
    const std::vector<std::filesystem::path> run_folders = folders_of_runs(folder);
    const Json sweep = read_sweep_file(folder);
    names.push_back(sweep_name(sweep, folder));
    if (sweep.is_object()) results.sweeps.push_back(with_lists(sweep, folder, results));
    settings.emplace_back();
    for (const std::filesystem::path& run_folder : run_folders) {
      if (!std::filesystem::exists(run_folder / "result.json")) {
        results.unfinished.push_back(run_folder.filename().string());
        if (auto known = settings_begun(run_folder)) begun.push_back(std::move(*known));
      } else if (std::optional<RunResult> run = read_run(results, run_folder)) {
        settings.back().push_back(run->settings);
        if (!run->imported()) begun.push_back(run->settings);
        add_run(results, std::move(*run));
      }
    }
  }
  leave_out_older_revisions(results);
  results.name = join(names, " + ");
  results.differences = folder_differences(settings);
  name_not_begun(results, folders, begun);
  name_settings(results);
  put_in_display_order(results.runs, routers);
  return results;
}

}  // namespace moe
