#pragma once
// As much of JSON Schema 2020-12 as the project's schemas use; a keyword beyond that is an error of the schema.

#include "core/config.h"
#include "core/error.h"
#include "core/json.h"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace moe::test {

class SchemaChecker {
 public:
  explicit SchemaChecker(const Json& schema) : root_(schema) {}

  /// What is wrong with the document, as "PATH: keyword"; empty when it is valid.
  std::vector<std::string> violations(const Json& document) const {
    std::vector<std::string> found;
    check(document, root_, "", found);
    return found;
  }

 private:
  using Found = std::vector<std::string>;

  void check(const Json& value, const Json& schema, const std::string& path, Found& found) const {
    if (schema.is_boolean()) {
      if (!schema.get<bool>()) found.push_back(path + ": not allowed");
      return;
    }
    for (const auto& [keyword, argument] : schema.items()) {
      static const std::set<std::string> notes = {"$schema", "$defs", "title", "description", "default", "format"};
      if (notes.contains(keyword)) continue;
      if (keyword == "$ref") {
        check(value, root_.at(Json::json_pointer(argument.get<std::string>().substr(1))), path, found);
      } else if (keyword == "properties" || keyword == "additionalProperties") {
        check_properties(value, schema, keyword, path, found);
      } else if (keyword == "items") {
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
          check(value[i], argument, path + "[" + std::to_string(i) + "]", found);
        }
      } else if (!holds(value, keyword, argument)) {
        found.push_back(path + ": " + keyword);
      }
    }
  }

  void check_properties(const Json& value, const Json& schema, const std::string& keyword, const std::string& path,
                        Found& found) const {
    if (!value.is_object()) return;
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [key, item] : value.items()) {
      const bool is_known = properties.contains(key);
      if (is_known != (keyword == "properties")) continue;
      check(item, is_known ? properties[key] : schema["additionalProperties"], join_path(path, key), found);
    }
  }

  std::int64_t valid_count(const Json& value, const Json& schemas) const {
    return std::count_if(schemas.begin(), schemas.end(), [&](const Json& schema) {
      Found found;
      check(value, schema, "", found);
      return found.empty();
    });
  }

  bool holds(const Json& value, const std::string& keyword, const Json& argument) const {
    if (keyword == "type") return has_type(value, argument);
    if (keyword == "enum") return std::find(argument.begin(), argument.end(), value) != argument.end();
    if (keyword == "const") return value == argument;
    if (keyword == "anyOf") return valid_count(value, argument) > 0;
    if (keyword == "oneOf") return valid_count(value, argument) == 1;
    if (keyword == "minimum") return !value.is_number() || value >= argument;
    if (keyword == "exclusiveMinimum") return !value.is_number() || value > argument;
    if (keyword == "maximum") return !value.is_number() || value <= argument;
    if (keyword == "minItems") return !value.is_array() || value.size() >= argument.get<std::size_t>();
    if (keyword == "minProperties") return !value.is_object() || value.size() >= argument.get<std::size_t>();
    if (keyword == "minLength")
      return !value.is_string() || value.get<std::string>().size() >= argument.get<std::size_t>();
    if (keyword == "pattern") {
      return !value.is_string() || std::regex_search(value.get<std::string>(), std::regex(argument.get<std::string>()));
    }
    if (keyword == "uniqueItems") {
      return !value.is_array() || std::set<Json>(value.begin(), value.end()).size() == value.size();
    }
    if (keyword == "required") {
      return !value.is_object() || std::all_of(argument.begin(), argument.end(),
                                               [&](const Json& key) { return value.contains(key.get<std::string>()); });
    }
    throw Error("The schema has a keyword that the tests do not know: " + keyword + ".");
  }

  static bool has_type(const Json& value, const Json& type) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(), [&](const Json& one) { return has_type(value, one); });
    }
    if (type == "integer") {
      return value.is_number_integer() ||
             (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
    }
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "number" && value.is_number()) ||
           (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
  }

  Json root_;
};

}  // namespace moe::test
