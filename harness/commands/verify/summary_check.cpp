#include "harness/commands/verify/summary_check.h"

#include "core/config.h"
#include "core/error.h"
#include "harness/report/summary.h"
#include "harness/verdicts/verdicts.h"
#include "routers/registry.h"

namespace moe {
namespace {

/// Adds "PATH is A, but the results give B" for values that stand in both and differ.
void add_differences(const Json& stored, const Json& again, const std::string& path,
                     std::vector<std::string>& differences) {
  if (stored.is_object() && again.is_object()) {
    for (const auto& [key, value] : stored.items()) {
      const auto found = again.find(key);
      if (found != again.end()) add_differences(value, *found, join_path(path, key), differences);
    }
  } else if (stored.is_array() && again.is_array() && stored.size() == again.size()) {
    for (std::size_t i = 0; i < stored.size(); ++i) {
      add_differences(stored[i], again[i], fmt::format("{}[{}]", path, i), differences);
    }
  } else if (stored.is_array() && again.is_array()) {
    differences.push_back(fmt::format("{} has {} entries, but the results give {}", path, stored.size(), again.size()));
  } else if (stored != again) {
    differences.push_back(
        fmt::format("{} is {}, but the results give {}", path, short_json(stored), short_json(again)));
  }
}

}  // namespace

SummaryCheck check_summary(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "summary.json";
  if (!std::filesystem::exists(file)) return {"absent", {}};
  Json stored;
  ResultSet results;
  try {
    stored = read_json(file);
    results = read_results({folder}, router_names());
  } catch (const Error& error) {
    return {"not comparable", {error.what()}};
  }
  if (!results.left_out.empty()) return {"only read: some results cannot be read", {}};
  // As text and back, so that both are what a file can hold.
  const ReportData data{make_results_table(results), make_verdicts(results, earlier_looks(stored))};
  const Json again = parse_json(summary_json(results, data).dump(), "summary");
  for (const char* key : {"schema_version", "name"}) {
    if (!stored.is_object() || stored.value(key, Json()) != again[key]) {
      return {fmt::format("only read: its {} is not that of the folder", key), {}};
    }
  }
  std::vector<std::string> differences;
  add_differences(stored, again, "", differences);
  if (differences.empty()) return {"as the results give", {}};
  const std::string more = differences.size() == 1 ? "" : fmt::format(" ({} more differ)", differences.size() - 1);
  return {"differs", {fmt::format("{}: {}{}.", file.string(), differences.front(), more)}};
}

}  // namespace moe
