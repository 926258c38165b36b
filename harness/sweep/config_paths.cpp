#include "harness/sweep/config_paths.h"

#include "core/error.h"
#include "core/text.h"
#include "data/data_settings.h"
#include "decoding/evaluation_settings.h"
#include "harness/sweep/json_tools.h"
#include "model/model_settings.h"
#include "routers/registry.h"
#include "training/training_settings.h"

#include <algorithm>

namespace moe {
namespace {

/// A type as Lister names it: "integer", "number or null", "list of strings", "any".
bool has_type(const Json& value, const std::string& type) {
  if (type == "any") return true;
  if (value.is_null()) return type.ends_with(" or null");
  if (type.starts_with("boolean")) return value.is_boolean();
  if (type.starts_with("integer")) return value.is_number_integer();
  if (type.starts_with("number")) return value.is_number();
  if (type.starts_with("string")) return value.is_string();
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) { return item.is_string(); });
}

std::string with_article(const std::string& type) {
  if (type == "boolean") return "true or false";
  if (type.starts_with("integer")) return "a whole number" + type.substr(std::string("integer").size());
  return "a " + type;
}

}  // namespace

const std::vector<std::string>& section_names() {
  static const std::vector<std::string> names = {"data", "model", "strategy", "training", "evaluation"};
  return names;
}

ConfigPaths::ConfigPaths(const std::vector<std::string>& routers) {
  add("data", list_fields(DataSettings{}));
  add("model", list_fields(ModelSettings{}));
  add("strategy", {{"router", "string", default_router, "one of " + join(router_names(), ", "),
                    "who decides which experts see a token"}});
  for (const RouterEntry& router : all_routers()) {
    if (std::count(routers.begin(), routers.end(), router.name) > 0) add("strategy", router.list_options());
  }
  add("strategy.objective", list_fields(ObjectiveSettings{}));
  add("training", list_fields(TrainingSettings{}));
  add("evaluation", list_fields(EvaluationSettings{}));
}

void ConfigPaths::add(const std::string& section, std::vector<FieldListing> listings) {
  for (FieldListing& listing : listings) {
    listing.path = join_path(section, listing.path);
    if (find(listing.path) == nullptr) keys_.push_back(std::move(listing));
  }
}

const FieldListing* ConfigPaths::find(const std::string& path) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const auto& key) { return key.path == path; });
  return found == keys_.end() ? nullptr : &*found;
}

std::vector<std::string> ConfigPaths::children(const std::string& path) const {
  std::vector<std::string> names;
  for (const FieldListing& key : keys_) {
    if (!path.empty() && !key.path.starts_with(path + ".")) continue;
    const std::string name = split(key.path.substr(path.empty() ? 0 : path.size() + 1), '.').front();
    if (std::count(names.begin(), names.end(), name) == 0) names.push_back(name);
  }
  return names;
}

std::vector<std::string> ConfigPaths::sections() const {
  std::vector<std::string> paths;
  for (const FieldListing& key : keys_) {
    for (std::size_t dot = key.path.find('.'); dot != std::string::npos; dot = key.path.find('.', dot + 1)) {
      const std::string section = key.path.substr(0, dot);
      if (std::count(paths.begin(), paths.end(), section) == 0) paths.push_back(section);
    }
  }
  return paths;
}

bool ConfigPaths::check(const std::string& path, const std::string& place, ConfigErrors& errors) const {
  std::string above;
  for (const std::string& name : split(path, '.')) {
    const FieldListing* key = find(above);
    if (key != nullptr && key->type == "any") return true;  // inside a value that its owner checks
    const std::vector<std::string> known = children(above);
    if (std::count(known.begin(), known.end(), name) == 0) {
      errors.add(place, key == nullptr ? unknown_key_sentence(name, known)
                                       : fmt::format("\"{}\" is a value, nothing stands below it.", above));
      return false;
    }
    above = join_path(above, name);
  }
  return true;
}

void ConfigPaths::check_value(const std::string& path, const Json& value, const std::string& place,
                              ConfigErrors& errors) const {
  const FieldListing* key = find(path);
  if (key == nullptr) return;
  if (!has_type(value, key->type)) {
    errors.add(place, fmt::format("found {}, expected {}.", short_json(value), with_article(key->type)));
  } else if (path == "strategy.router") {
    const std::vector<std::string> routers = router_names();
    const std::string name = value.get<std::string>();
    const bool known = std::count(routers.begin(), routers.end(), name) > 0;
    errors.check(known, place, not_allowed_sentence(name, routers));
  }
}

bool ConfigPaths::is_single_value(const std::string& path, const Json& value) const {
  if (!value.is_array()) return true;
  const FieldListing* key = find(path);
  const bool takes_lists = key != nullptr && (key->type == "any" || key->type == "list of strings");
  const auto is_item = [](const Json& item) { return !item.is_structured() && !item.is_null(); };
  return takes_lists && std::all_of(value.begin(), value.end(), is_item);
}

const ConfigPaths& all_config_paths() {
  static const ConfigPaths paths(router_names());
  return paths;
}

}  // namespace moe
