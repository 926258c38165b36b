#include "harness/sweep/setting_names.h"

#include "core/text.h"

#include <algorithm>
#include <map>

namespace moe {
namespace {

std::string value_of(const FlatSettings& run, const std::string& key) {
  const auto value = run.find(key);
  return value == run.end() ? "" : setting_text(*value);
}

bool is_of_strategy(const std::string& key) {
  return key.starts_with("strategy.");
}

/// The keys that tell settings apart: those of the strategy are in its label, seeds have names of their own, and a key
/// that follows from the ones before it adds nothing.
std::vector<std::string> setting_keys(const std::vector<FlatSettings>& runs, const std::vector<std::string>& keys) {
  std::vector<std::string> kept;
  std::vector<std::string> names(runs.size());
  for (const std::string& key : keys) {
    if (is_of_strategy(key) || key == "training.seed") continue;
    std::map<std::string, std::string> value_by_name;
    bool splits = false;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const std::string value = value_of(runs[i], key);
      const auto [entry, is_new] = value_by_name.emplace(names[i], value);
      splits = splits || (!is_new && entry->second != value);
    }
    if (!splits) continue;
    kept.push_back(key);
    for (std::size_t i = 0; i < runs.size(); ++i) names[i] += value_of(runs[i], key) + "\n";
  }
  return kept;
}

std::string last_part(const std::string& key) {
  return key.substr(key.rfind('.') + 1);
}

/// The last part of a key, or all of it where another key ends alike: `data.synthetic.seed` is not `training.seed`.
std::string short_key(const std::string& key, const FlatSettings& run) {
  for (const auto& [other, value] : run.items()) {
    if (other != key && !is_of_strategy(other) && last_part(other) == last_part(key)) return key;
  }
  return last_part(key);
}

}  // namespace

std::string setting_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::vector<std::string> parts;
  for (const Json& item : value) parts.push_back(setting_text(item));
  return join(parts, " ");
}

std::vector<std::string> varying_keys(const std::vector<FlatSettings>& runs) {
  std::vector<std::string> keys;
  Json first_seen = Json::object();
  for (const FlatSettings& run : runs) {
    for (const auto& [key, value] : run.items()) {
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

std::vector<std::string> setting_names(const std::vector<FlatSettings>& runs, const std::vector<std::string>& keys) {
  std::vector<std::string> names;
  const std::vector<std::string> telling = setting_keys(runs, keys);
  for (const FlatSettings& run : runs) {
    std::vector<std::string> parts;
    for (const std::string& key : telling) {
      if (!run.contains(key)) continue;  // translations of another program have no settings
      const std::string value = value_of(run, key);
      parts.push_back(key == "data.directions" ? value : short_key(key, run) + " " + value);
    }
    names.push_back(join(parts, ", "));
  }
  return names;
}

}  // namespace moe
