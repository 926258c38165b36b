#include "harness/sweep/sweep_override.h"

#include <fmt/format.h>

namespace moe {

std::vector<SweepOverride> read_overrides(const Json& list, const ConfigPaths& all_paths, const ConfigPaths& paths,
                                          ConfigErrors& errors) {
  std::vector<SweepOverride> overrides;
  if (!list.is_array()) {
    errors.add("overrides", fmt::format("found {}, expected a list of objects.", short_json(list)));
    return overrides;
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("overrides[{}]", i);
    const bool complete =
        list[i].is_object() && list[i].size() == 2 && list[i].contains("where") && list[i].contains("set");
    if (!complete) {
      errors.add(place, fmt::format("found {}, expected an object of `where` and `set`.", short_json(list[i])));
      continue;
    }
    SweepOverride entry{read_entry(list[i]["where"], place + ".where", all_paths, errors),
                        read_entry(list[i]["set"], place + ".set", paths, errors)};
    check_conditions(entry.where, all_paths, errors);
    overrides.push_back(std::move(entry));
  }
  return overrides;
}

bool apply_overrides(const std::vector<SweepOverride>& overrides, const Json& config, Candidate& candidate) {
  bool applied = false;
  for (const SweepOverride& entry : overrides) {
    if (entry.where.keys.empty() || !matches(config, entry.where)) continue;
    for (const PathValue& key : entry.set.keys) merge_at(candidate.config, key.path, key.value);
    candidate.overlays.push_back(&entry.set);
    applied = true;
  }
  return applied;
}

}  // namespace moe
