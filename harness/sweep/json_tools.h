#pragma once
// Dotted paths into nested JSON objects: "strategy.objective.passes".

#include "core/json.h"

#include <string>
#include <vector>

namespace moe {

struct PathValue {
  std::string path;
  Json value;
};

/// The leaves of an object below `parent`, nested and dotted keys alike as dotted paths: {"a": {"b": 1}, "a.c": 2} is
/// a.b = 1, a.c = 2. An empty object is a leaf.
std::vector<PathValue> leaves(const Json& object, const std::string& parent = "");

/// The value at a path, or a null pointer.
const Json* find_at(const Json& object, const std::string& path);

/// Puts `value` at a path, making objects on the way; an object is merged deeply into one that stands there.
void merge_at(Json& object, const std::string& path, const Json& value);

/// Removes the value at a path, if there is one.
void erase_at(Json& object, const std::string& path);

/// True when `path` is `ancestor` or stands below it.
bool is_at_or_below(const std::string& path, const std::string& ancestor);

/// The keys of `value` that differ from `defaults`, nested; objects that stand in both are compared key by key.
Json differing_keys(const Json& value, const Json& defaults);

}  // namespace moe
