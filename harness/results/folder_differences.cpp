#include "harness/results/folder_differences.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

namespace moe {
namespace {

bool is_told_apart(const std::string& key) {
  return key == "training.seed" || key.starts_with("strategy.");
}

/// Keys in the order in which they first stand there.
std::vector<std::string> all_keys(const std::vector<std::vector<FlatSettings>>& folders) {
  std::vector<std::string> keys;
  std::set<std::string> seen;
  for (const auto& runs : folders) {
    for (const FlatSettings& run : runs) {
      for (const auto& [key, value] : run.items()) {
        if (seen.insert(key).second) keys.push_back(key);
      }
    }
  }
  return keys;
}

/// The values of the key in each folder that has it. Nothing where a folder has two: it is an axis there.
std::optional<std::vector<Json>> value_by_folder(const std::vector<std::vector<FlatSettings>>& folders,
                                                 const std::string& key) {
  std::vector<Json> values;
  for (const auto& runs : folders) {
    std::optional<Json> value;
    for (const FlatSettings& run : runs) {
      if (!run.contains(key)) continue;
      if (value && *value != run[key]) return std::nullopt;
      value = run[key];
    }
    if (value) values.push_back(*value);
  }
  return values;
}

}  // namespace

std::vector<std::string> folder_differences(const std::vector<std::vector<FlatSettings>>& folders) {
  std::vector<std::string> sentences;
  for (const std::string& key : all_keys(folders)) {
    const std::optional<std::vector<Json>> values = is_told_apart(key) ? std::nullopt : value_by_folder(folders, key);
    if (!values || std::all_of(values->begin(), values->end(), [&](const Json& v) { return v == values->front(); })) {
      continue;
    }
    std::vector<std::string> texts;
    for (const Json& value : *values) texts.push_back(value.is_null() ? "none" : setting_text(value));
    sentences.push_back(fmt::format("The folders differ in {}: {}.", key, join(texts, " against ")));
  }
  return sentences;
}

}  // namespace moe
