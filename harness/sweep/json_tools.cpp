#include "harness/sweep/json_tools.h"

#include "core/config.h"
#include "core/text.h"

namespace moe {
namespace {

void merge(Json& target, const Json& value) {
  if (!target.is_object() || !value.is_object()) {
    target = value;
    return;
  }
  for (const auto& [key, item] : value.items()) merge(target[key], item);
}

}  // namespace

std::vector<PathValue> leaves(const Json& object, const std::string& parent) {
  std::vector<PathValue> found;
  for (const auto& [key, value] : object.items()) {
    const std::string path = join_path(parent, key);
    if (value.is_object() && !value.empty()) {
      for (PathValue& leaf : leaves(value, path)) found.push_back(std::move(leaf));
    } else {
      found.push_back({path, value});
    }
  }
  return found;
}

const Json* find_at(const Json& object, const std::string& path) {
  const Json* value = &object;
  for (const std::string& key : split(path, '.')) {
    if (!value->is_object()) return nullptr;
    const auto found = value->find(key);
    if (found == value->end()) return nullptr;
    value = &*found;
  }
  return value;
}

void merge_at(Json& object, const std::string& path, const Json& value) {
  Json* target = &object;
  for (const std::string& key : split(path, '.')) {
    if (!target->is_object()) *target = Json::object();
    target = &(*target)[key];
  }
  merge(*target, value);
}

void erase_at(Json& object, const std::string& path) {
  Json* parent = &object;
  std::vector<std::string> keys = split(path, '.');
  const std::string last = keys.back();
  keys.pop_back();
  for (const std::string& key : keys) {
    const auto found = parent->is_object() ? parent->find(key) : parent->end();
    if (found == parent->end()) return;
    parent = &*found;
  }
  if (parent->is_object()) parent->erase(last);
}

bool is_at_or_below(const std::string& path, const std::string& ancestor) {
  return path == ancestor || path.starts_with(ancestor + ".");
}

Json differing_keys(const Json& value, const Json& defaults) {
  Json different = Json::object();
  for (const auto& [key, item] : value.items()) {
    const auto standard = defaults.find(key);
    if (standard != defaults.end() && item.is_object() && standard->is_object()) {
      Json inner = differing_keys(item, *standard);
      if (!inner.empty()) different[key] = std::move(inner);
    } else if (standard == defaults.end() || item != *standard) {
      different[key] = item;
    }
  }
  return different;
}

}  // namespace moe
