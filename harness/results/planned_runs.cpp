#include "harness/results/planned_runs.h"

#include "core/error.h"
#include "core/json.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/run_names.h"
#include "harness/sweep/sweep.h"

#include <algorithm>
#include <map>
#include <optional>

namespace moe {
namespace {

/// Dotted key to value. Where the data lies is no property of a run.
using Settings = std::map<std::string, Json>;

Settings settings_of(const std::vector<PathValue>& keys) {
  Settings settings;
  for (const PathValue& key : keys) settings[key.path] = key.value;
  settings.erase("data.root");
  return settings;
}

bool agree(const Settings& a, const Settings& b) {
  return std::all_of(a.begin(), a.end(), [&](const auto& entry) {
    const auto other = b.find(entry.first);
    return other == b.end() || other->second == entry.second;
  });
}

/// Nothing for a file that is no sweep of this version: an older one, or a note of what was merged.
std::optional<Sweep> sweep_in(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "sweep.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  ConfigErrors errors;
  try {
    const bool older = !read_json(file).contains("/training/batch_side"_json_pointer);
    const std::vector<std::string> settings(older ? 1 : 0, "training.batch_side=longer");
    Sweep sweep = read_sweep(file, settings, errors);
    return errors.empty() ? std::optional(std::move(sweep)) : std::nullopt;
  } catch (const Error& error) {
    if (error.status() != ExitStatus::request_wrong) throw;
    return std::nullopt;
  }
}

}  // namespace

std::vector<std::string> runs_not_begun(const std::filesystem::path& folder, const std::vector<FlatSettings>& begun) {
  const std::optional<Sweep> sweep = sweep_in(folder);
  if (!sweep) return {};
  std::vector<Settings> known;
  for (const FlatSettings& settings : begun) known.push_back(settings_of(leaves(settings)));
  const std::vector<std::string> names = run_names(sweep->runs);
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Settings planned = settings_of(leaves(write_run_spec(sweep->runs[i])));
    const bool is_begun =
        std::any_of(known.begin(), known.end(), [&](const Settings& other) { return agree(planned, other); });
    if (!is_begun) missing.push_back(names[i]);
  }
  return missing;
}

}  // namespace moe
