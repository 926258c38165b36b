#include "harness/sweep/grid.h"

#include "core/error.h"

#include <algorithm>

namespace moe {
namespace {

bool overlaps(const std::string& a, const std::string& b) {
  return is_at_or_below(a, b) || is_at_or_below(b, a);
}

bool sets(const Overlay& overlay, const std::string& path) {
  return std::any_of(overlay.keys.begin(), overlay.keys.end(),
                     [&](const PathValue& key) { return overlaps(key.path, path); });
}

Overlay make_overlay(const std::string& parent, const Json& value, std::string place) {
  if (value.is_object() && !value.empty()) return {leaves(value, parent), std::move(place), parent};
  return {{{parent, value}}, std::move(place), parent};
}

std::size_t product_of_sizes(const std::vector<const Axis*>& axes) {
  std::size_t product = 1;
  for (const Axis* axis : axes) product = std::min(product * axis->items.size(), most_candidates + 1);
  return product;
}

/// All combinations of the axes' items over the base, each with `entry` on top.
void add_product(const Json& base, const std::vector<const Axis*>& axes, const Overlay* entry,
                 std::vector<Candidate>& candidates) {
  const std::size_t count = product_of_sizes(axes);
  for (std::size_t number = 0; number < count; ++number) {
    Candidate candidate{base, {}};
    std::size_t stride = count;
    for (const Axis* axis : axes) {
      stride /= axis->items.size();
      candidate.overlays.push_back(&axis->items[number / stride % axis->items.size()]);
    }
    if (entry != nullptr) candidate.overlays.push_back(entry);
    for (const Overlay* overlay : candidate.overlays) {
      for (const PathValue& key : overlay->keys) merge_at(candidate.config, key.path, key.value);
    }
    candidates.push_back(std::move(candidate));
  }
}

}  // namespace

bool Axis::overrides(const std::string& other_path) const {
  return std::any_of(items.begin(), items.end(), [&](const Overlay& item) { return sets(item, other_path); });
}

std::string Candidate::place_of(const std::string& path) const {
  for (auto overlay = overlays.rbegin(); overlay != overlays.rend(); ++overlay) {
    for (const PathValue& key : (*overlay)->keys) {
      const bool inside_list = path.starts_with(key.path + "[");
      if (!is_at_or_below(path, key.path) && !inside_list) continue;
      const std::string& parent = (*overlay)->parent;
      const std::string below = parent.empty() ? "." + path : path.substr(parent.size());
      return (*overlay)->place + below;
    }
  }
  return path;
}

std::vector<Axis> read_axes(const Json& grid, const ConfigPaths& paths, ConfigErrors& errors) {
  std::vector<Axis> axes;
  if (!grid.is_object()) {
    errors.add("grid", fmt::format("found {}, expected an object of axes.", short_json(grid)));
    return axes;
  }
  for (const auto& [path, values] : grid.items()) {
    const std::string place = "grid." + path;
    if (!paths.check(path, place, errors)) continue;
    if (!values.is_array() || values.empty()) {
      errors.add(place, fmt::format("found {}, expected a list of at least one value.", short_json(values)));
      continue;
    }
    Axis axis{path, {}};
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool whole_strategy = path == "strategy.router" && values[i].is_object();
      axis.items.push_back(
          make_overlay(whole_strategy ? "strategy" : path, values[i], fmt::format("{}[{}]", place, i)));
    }
    axes.push_back(std::move(axis));
  }
  return axes;
}

Overlay read_entry(const Json& object, const std::string& place, const ConfigPaths& paths, ConfigErrors& errors) {
  Overlay entry{{}, place, ""};
  if (!object.is_object() || object.empty()) {
    errors.add(place, fmt::format("found {}, expected an object of at least one key.", short_json(object)));
    return entry;
  }
  entry.keys = leaves(object);
  std::vector<std::string> seen;
  for (const PathValue& key : entry.keys) {
    const std::string key_place = join_path(place, key.path);
    paths.check(key.path, key_place, errors);
    errors.check(std::count(seen.begin(), seen.end(), key.path) == 0, key_place, duplicate_key_sentence);
    seen.push_back(key.path);
  }
  return entry;
}

std::vector<Overlay> read_entries(const Json& list, const std::string& name, const ConfigPaths& paths,
                                  ConfigErrors& errors) {
  std::vector<Overlay> entries;
  if (!list.is_array()) {
    errors.add(name, fmt::format("found {}, expected a list of objects.", short_json(list)));
    return entries;
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    Overlay entry = read_entry(list[i], fmt::format("{}[{}]", name, i), paths, errors);
    if (!entry.keys.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<Candidate> expand(const Json& base, const std::vector<Axis>& axes, const std::vector<Overlay>& includes,
                              ConfigErrors& errors) {
  std::vector<std::vector<const Axis*>> free_axes(1 + includes.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < free_axes.size(); ++i) {
    for (const Axis& axis : axes) {
      if (i == 0 || !sets(includes[i - 1], axis.path)) free_axes[i].push_back(&axis);
    }
    count += product_of_sizes(free_axes[i]);
  }
  std::vector<Candidate> candidates;
  if (count > most_candidates) {
    errors.add("grid", fmt::format("the axes make more than {} runs.", most_candidates));
    candidates.push_back({base, {}});
    return candidates;
  }
  add_product(base, free_axes[0], nullptr, candidates);
  for (std::size_t i = 0; i < includes.size(); ++i) add_product(base, free_axes[i + 1], &includes[i], candidates);
  return candidates;
}

void check_conditions(const Overlay& entry, const ConfigPaths& paths, ConfigErrors& errors) {
  for (const PathValue& key : entry.keys) {
    const std::string place = join_path(entry.place, key.path);
    if (paths.is_single_value(key.path, key.value)) {
      paths.check_value(key.path, key.value, place, errors);
      continue;
    }
    for (std::size_t i = 0; i < key.value.size(); ++i) {
      paths.check_value(key.path, key.value[i], fmt::format("{}[{}]", place, i), errors);
    }
  }
}

bool matches(const Json& config, const Overlay& entry) {
  return std::all_of(entry.keys.begin(), entry.keys.end(), [&](const PathValue& key) {
    const Json* value = find_at(config, key.path);
    if (value == nullptr) return false;
    return *value == key.value ||
           (key.value.is_array() && std::find(key.value.begin(), key.value.end(), *value) != key.value.end());
  });
}

}  // namespace moe
