#include "harness/sweep/set_option.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/sweep/config_paths.h"
#include "harness/sweep/json_tools.h"

#include <algorithm>
#include <string_view>

namespace moe {
namespace {

constexpr std::string_view grid_prefix = "grid.";

Json read_value(const std::string& text) {
  try {
    return parse_json(text, "--set");
  } catch (const Error&) {
    return text;
  }
}

/// Removes the axes at or below `path`, and what items of an axis above it say about it.
void free_from_axes(Json& grid, const std::string& path) {
  Json kept = Json::object();
  for (auto& [axis, values] : grid.items()) {
    if (is_at_or_below(axis, path)) continue;
    const std::string section = axis == "strategy.router" ? "strategy" : axis;  // its items may be whole strategies
    if (is_at_or_below(path, section) && values.is_array()) {
      for (Json& item : values) erase_at(item, path.substr(section.size() + 1));
    }
    kept[axis] = std::move(values);
  }
  grid = std::move(kept);
}

/// Removes what overrides set at or below `path`.
void free_from_overrides(Json& sweep, const std::string& path) {
  if (!sweep.contains("overrides") || !sweep["overrides"].is_array()) return;  // an error of the file, if anything
  for (Json& entry : sweep["overrides"]) {
    if (!entry.is_object() || !entry.contains("set") || !entry["set"].is_object()) continue;
    Json kept = Json::object();
    for (const PathValue& key : leaves(entry["set"])) {
      if (!is_at_or_below(key.path, path)) kept[key.path] = key.value;
    }
    entry["set"] = kept;
  }
  Json& overrides = sweep["overrides"];
  Json left = Json::array();
  for (Json& entry : overrides) {
    if (!entry.is_object() || entry.value("set", Json()) != Json::object()) left.push_back(std::move(entry));
  }
  overrides = std::move(left);
}

void replace(Json& sweep, const std::string& path, const Json& value) {
  free_from_overrides(sweep, path);
  if (all_config_paths().is_single_value(path, value)) {
    if (sweep.contains("grid")) free_from_axes(sweep["grid"], path);
    erase_at(sweep, path);
    merge_at(sweep, path, value);
  } else {
    sweep["grid"][path] = value;
  }
}

}  // namespace

void apply_settings(Json& sweep, const std::vector<std::string>& settings, ConfigErrors& errors) {
  if (sweep.contains("grid") && !sweep["grid"].is_object()) return;  // an error of the file, found by its reader
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0 || first_invalid_utf8(setting)) {
      errors.add("--set", fmt::format("found {}, expected key.path=value.", short_json(setting)));
      continue;
    }
    const std::string path = setting.substr(0, equals);
    const Json value = read_value(setting.substr(equals + 1));
    const std::vector<std::string>& sections = section_names();
    if (path.starts_with(grid_prefix)) {
      sweep["grid"][path.substr(grid_prefix.size())] = value;
    } else if (std::count(sections.begin(), sections.end(), split(path, '.').front()) > 0) {
      replace(sweep, path, value);
    } else {
      merge_at(sweep, path, value);
    }
  }
}

}  // namespace moe
