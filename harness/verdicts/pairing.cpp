#include "harness/verdicts/pairing.h"

#include "core/text.h"
#include "harness/sweep/grid.h"
#include "harness/sweep/json_tools.h"
#include "harness/sweep/setting_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace moe {
namespace {

bool names_any(const std::vector<std::string>& keys, const std::string& path) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return is_at_or_below(path, key) || is_at_or_below(key, path); });
}

Overlay overlay_of(const Json& selection) {
  return {leaves(selection), "", ""};
}

/// Settings that belong to a strategy, or to a value of a named key, because an override sets them there.
std::vector<std::string> tied_keys(const ResultSet& results, const std::vector<std::string>& named) {
  std::vector<std::string> tied;
  for (const Json& sweep : results.sweeps) {
    for (const Json& entry : sweep.value("overrides", Json::array())) {
      const std::vector<PathValue> conditions = leaves(entry.value("where", Json::object()));
      const bool ties = std::all_of(conditions.begin(), conditions.end(), [&](const PathValue& condition) {
        return is_at_or_below(condition.path, "strategy") || names_any(named, condition.path);
      });
      if (!ties) continue;
      for (const PathValue& key : leaves(entry.value("set", Json::object()))) tied.push_back(key.path);
    }
  }
  return tied;
}

}  // namespace

Selection select_runs(const Json& selection, const ResultSet& results) {
  const Overlay overlay = overlay_of(selection);
  Selection selected;
  for (const PathValue& key : overlay.keys) selected.keys.push_back(key.path);
  for (const RunResult& run : results.runs) {
    if (!matches(run.config, overlay)) continue;
    if (run.finished()) {
      selected.runs.push_back(&run);
    } else {
      ++selected.unfinished;
    }
  }
  return selected;
}

Selection narrowed(const Selection& selection, const Json& condition) {
  const Overlay overlay = overlay_of(condition);
  Selection narrow{selection.keys, {}, selection.unfinished};
  for (const RunResult* run : selection.runs) {
    if (matches(run->config, overlay)) narrow.runs.push_back(run);
  }
  return narrow;
}

PairingKeys::PairingKeys(const ResultSet& results, const std::vector<std::string>& named) {
  const std::vector<std::string> tied = tied_keys(results, named);
  const bool names_data =
      std::any_of(named.begin(), named.end(), [](const std::string& key) { return is_at_or_below(key, "data"); });
  for (const std::string& axis : results.axes) {
    const bool counts = axis != "training.seed" && !is_at_or_below(axis, "strategy") && !names_any(named, axis) &&
                        !names_any(tied, axis) && !is_at_or_below(axis, "files") &&
                        !(names_data && axis == "data_digest");
    if (counts) keys_.push_back(axis);
  }
}

std::string PairingKeys::conditions_of(const RunResult& run) const {
  std::string text;
  for (const std::string& key : keys_) text += key + "=" + run.settings.value(key, Json()).dump() + ";";
  return text;
}

std::string PairingKeys::name_of(const RunResult& run) const {
  std::vector<std::string> parts;
  for (const std::string& key : keys_) {
    if (key == "data_digest") continue;
    const std::string value = setting_text(run.settings.value(key, Json()));
    parts.push_back(key == "data.directions" ? value : fmt::format("{} {}", split(key, '.').back(), value));
  }
  return join(parts, ", ");
}

std::string labels_of(const std::vector<const RunResult*>& runs) {
  std::vector<std::string> labels;
  for (const RunResult* run : runs) {
    if (std::find(labels.begin(), labels.end(), run->strategy.label) == labels.end()) {
      labels.push_back(run->strategy.label);
    }
  }
  return join(labels, ", ");
}

std::optional<std::int64_t> experts_of(const RunResult& run) {
  const auto experts = run.settings.find("strategy.experts");
  if (experts == run.settings.end() || !experts->is_number_integer()) return std::nullopt;
  return experts->get<std::int64_t>();
}

}  // namespace moe
