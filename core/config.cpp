#include "core/config.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

/// Whole numbers in digits, however large.
std::string bound_text(double value) {
  const bool is_whole = value == std::floor(value) && std::abs(value) < 0x1p63;
  return is_whole ? fmt::format("{}", static_cast<std::int64_t>(value)) : fmt::format("{}", value);
}

std::string describe_range(const Field& field) {
  if (!field.choices.empty()) return "one of " + join(field.choices, ", ");
  if (std::isfinite(field.minimum) && std::isfinite(field.maximum) && !field.above_minimum) {
    return fmt::format("{} to {}", bound_text(field.minimum), bound_text(field.maximum));
  }
  std::string text;
  if (std::isfinite(field.minimum)) {
    text = fmt::format("{} {}", field.above_minimum ? "above" : "at least", bound_text(field.minimum));
  }
  if (std::isfinite(field.maximum)) {
    text += fmt::format("{}at most {}", text.empty() ? "" : " and ", bound_text(field.maximum));
  }
  return text;
}

bool in_range(const Field& field, double value) {
  return std::isfinite(value) && value <= field.maximum &&
         (field.above_minimum ? value > field.minimum : value >= field.minimum);
}

/// JSON Schema's "integer": 4e3 is one, 4.5 is not.
bool is_whole_number(const Json& json) {
  if (!json.is_number_float()) return json.is_number_integer();
  const double value = json.get<double>();
  return value == std::floor(value);
}

bool fits_integer(const Json& whole_number) {
  if (whole_number.is_number_float()) return std::abs(whole_number.get<double>()) < 0x1p63;
  return !whole_number.is_number_unsigned() || whole_number.get<std::uint64_t>() < (std::uint64_t{1} << 63U);
}

/// The range of a field that holds an integer, with the integers' own limits where the field has none.
std::string describe_integer_range(const Field& field) {
  using Limits = std::numeric_limits<std::int64_t>;
  const std::string least = std::isfinite(field.minimum) ? bound_text(field.minimum) : fmt::format("{}", Limits::min());
  const std::string most = std::isfinite(field.maximum) ? bound_text(field.maximum) : fmt::format("{}", Limits::max());
  return fmt::format("{} to {}", least, most);
}

/// Overwrites members from one JSON object; one instance per nesting level.
class Reader : public FieldVisitor {
 public:
  Reader(const Json& json, std::string path, ConfigErrors& errors) : errors_(errors) {
    levels_.push_back({&json, std::move(path), {}});
  }

  void field(const Field& field, bool& value) override {
    read(field, "true or false", &Json::is_boolean, [&](const Json& json) { value = json.get<bool>(); });
  }
  void field(const Field& field, std::int64_t& value) override {
    read(field, "a whole number", is_whole_number, [&](const Json& json) { read_number(field, json, value); });
  }
  void field(const Field& field, double& value) override {
    read(field, "a number", &Json::is_number, [&](const Json& json) { read_number(field, json, value); });
  }
  void field(const Field& field, std::string& value) override {
    read(field, "a string", &Json::is_string, [&](const Json& json) {
      const std::string text = json.get<std::string>();
      if (field.choices.empty() || std::count(field.choices.begin(), field.choices.end(), text) > 0) {
        value = text;
        return;
      }
      errors_.add(path_of(field), not_allowed_sentence(text, field.choices));
    });
  }
  void field(const Field& field, std::optional<std::int64_t>& value) override { read_optional(field, value); }
  void field(const Field& field, std::optional<double>& value) override { read_optional(field, value); }
  void field(const Field& field, std::vector<std::string>& value) override {
    const auto is_string_list = [](const Json& json) {
      return json.is_array() &&
             std::all_of(json.begin(), json.end(), [](const Json& item) { return item.is_string(); });
    };
    read(field, "a list of strings", is_string_list,
         [&](const Json& json) { value = json.get<std::vector<std::string>>(); });
  }
  void field(const Field& field, Json& value) override {
    read(field, "", [](const Json&) { return true; }, [&](const Json& json) { value = json; });
  }

  /// To call after the visit: what the struct did not ask for is unknown.
  void finish_level() {
    const Level level = std::move(levels_.back());
    levels_.pop_back();
    for (const auto& [key, value] : level.json->items()) {
      if (std::count(level.known.begin(), level.known.end(), key) == 0) {
        errors_.add(join_path(level.path, key), unknown_key_sentence(key, level.known));
      }
    }
  }

 protected:
  bool begin_section(const Field& field) override {
    const Json* json = find(field);
    if (json == nullptr) return false;
    if (!json->is_object()) {
      errors_.add(path_of(field), fmt::format("found {}, expected an object.", short_json(*json)));
      return false;
    }
    levels_.push_back({json, path_of(field), {}});
    return true;
  }
  void end_section() override { finish_level(); }

 private:
  struct Level {
    const Json* json;
    std::string path;
    std::vector<std::string> known;
  };

  std::string path_of(const Field& field) const { return join_path(levels_.back().path, field.key); }

  const Json* find(const Field& field) {
    levels_.back().known.push_back(field.key);
    const auto found = levels_.back().json->find(field.key);
    return found == levels_.back().json->end() ? nullptr : &*found;
  }

  template <class Accepts, class Assign>
  void read(const Field& field, const char* expected, Accepts accepts, Assign assign) {
    const Json* json = find(field);
    if (json == nullptr) return;
    if (std::invoke(accepts, *json)) {
      assign(*json);
    } else {
      errors_.add(path_of(field), fmt::format("found {}, expected {}.", short_json(*json), expected));
    }
  }

  template <class Number>
  void read_number(const Field& field, const Json& json, Number& value) {
    if (std::is_same_v<Number, std::int64_t> && !fits_integer(json)) {
      errors_.add(path_of(field),
                  fmt::format("found {}, allowed is {}.", short_json(json), describe_integer_range(field)));
    } else if (in_range(field, json.get<double>())) {
      value = json.get<Number>();
    } else {
      errors_.add(path_of(field), fmt::format("found {}, allowed is {}.", short_json(json), describe_range(field)));
    }
  }

  template <class Number>
  void read_optional(const Field& field, std::optional<Number>& value) {
    constexpr bool whole = std::is_same_v<Number, std::int64_t>;
    const auto accepts = [](const Json& json) {
      return json.is_null() || (whole ? is_whole_number(json) : json.is_number());
    };
    read(field, whole ? "a whole number or null" : "a number or null", accepts, [&](const Json& json) {
      if (json.is_null()) {
        value.reset();
      } else {
        Number number = value.value_or(Number{});
        read_number(field, json, number);
        value = number;
      }
    });
  }

  ConfigErrors& errors_;
  std::vector<Level> levels_;
};

/// Walks a struct and hands each key with its value as JSON and the name of its type to `leaf`.
class Walker : public FieldVisitor {
 public:
  void field(const Field& field, bool& value) override { leaf(field, "boolean", value); }
  void field(const Field& field, std::int64_t& value) override { leaf(field, "integer", value); }
  void field(const Field& field, double& value) override { leaf(field, "number", value); }
  void field(const Field& field, std::string& value) override { leaf(field, "string", value); }
  void field(const Field& field, std::optional<std::int64_t>& value) override {
    leaf(field, "integer or null", value ? Json(*value) : Json());
  }
  void field(const Field& field, std::optional<double>& value) override {
    leaf(field, "number or null", value ? Json(*value) : Json());
  }
  void field(const Field& field, std::vector<std::string>& value) override { leaf(field, "list of strings", value); }
  void field(const Field& field, Json& value) override { leaf(field, "any", value); }

 protected:
  virtual void leaf(const Field& field, const char* type, const Json& value) = 0;
};

class Writer : public Walker {
 public:
  Json take() { return std::move(objects_.front()); }

 protected:
  void leaf(const Field& field, const char* /*type*/, const Json& value) override {
    objects_.back()[field.key] = value;
  }
  bool begin_section(const Field& field) override {
    keys_.push_back(field.key);
    objects_.push_back(Json::object());
    return true;
  }
  void end_section() override {
    Json section = std::move(objects_.back());
    objects_.pop_back();
    objects_.back()[keys_.back()] = std::move(section);
    keys_.pop_back();
  }

 private:
  std::vector<Json> objects_{Json::object()};
  std::vector<std::string> keys_;
};

/// A bound as people write it: 1, not 1.0.
Json bound(double value) {
  return value == std::floor(value) && std::abs(value) < 0x1p53 ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

Json object_schema() {
  return Json{{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
}

class SchemaBuilder : public Walker {
 public:
  Json take() { return std::move(objects_.front()); }

 protected:
  void leaf(const Field& field, const char* type, const Json& value) override {
    Json schema = field.schema.is_null() ? type_schema(type) : field.schema;
    if (!field.choices.empty()) schema["enum"] = field.choices;
    if (std::isfinite(field.minimum))
      schema[field.above_minimum ? "exclusiveMinimum" : "minimum"] = bound(field.minimum);
    if (std::isfinite(field.maximum)) schema["maximum"] = bound(field.maximum);
    schema["default"] = value;
    schema["description"] = field.help;
    objects_.back()["properties"][field.key] = std::move(schema);
  }
  bool begin_section(const Field& field) override {
    keys_.push_back(field.key);
    objects_.push_back(object_schema());
    objects_.back()["description"] = field.help;
    return true;
  }
  void end_section() override {
    Json section = std::move(objects_.back());
    objects_.pop_back();
    objects_.back()["properties"][keys_.back()] = std::move(section);
    keys_.pop_back();
  }

 private:
  static Json type_schema(const std::string& type) {
    if (type == "list of strings") return {{"type", "array"}, {"items", {{"type", "string"}}}};
    if (type == "any") return Json::object();
    if (type.ends_with(" or null")) return {{"type", {type.substr(0, type.find(' ')), "null"}}};
    return {{"type", type}};
  }

  std::vector<Json> objects_{object_schema()};
  std::vector<std::string> keys_;
};

class Lister : public Walker {
 public:
  std::vector<FieldListing> take() { return std::move(listings_); }

 protected:
  void leaf(const Field& field, const char* type, const Json& value) override {
    listings_.push_back({join_path(join(sections_, "."), field.key), type, value, describe_range(field), field.help});
  }
  bool begin_section(const Field& field) override {
    sections_.push_back(field.key);
    return true;
  }
  void end_section() override { sections_.pop_back(); }

 private:
  std::vector<FieldListing> listings_;
  std::vector<std::string> sections_;
};

}  // namespace

void ConfigErrors::add(const std::string& path, const std::string& sentence) {
  const auto is_same = [&](const ConfigError& error) { return error.path == path && error.sentence == sentence; };
  if (std::none_of(errors_.begin(), errors_.end(), is_same)) errors_.push_back({path, sentence});
}

void ConfigErrors::check(bool condition, const std::string& path, const std::string& sentence) {
  if (!condition) add(path, sentence);
}

std::vector<std::string> ConfigErrors::sentences() const {
  std::vector<std::string> sentences;
  for (const ConfigError& error : errors_) {
    sentences.push_back(error.path.empty() ? error.sentence : error.path + ": " + error.sentence);
  }
  return sentences;
}

void ConfigErrors::throw_if_any(const std::string& document) const {
  if (errors_.empty()) return;
  std::vector<std::string> lines;
  for (const std::string& sentence : sentences()) lines.push_back(document + ": " + sentence);
  throw Error(join(lines, "\n"));
}

std::string join_path(const std::string& parent, const std::string& key) {
  return parent.empty() ? key : parent + "." + key;
}

std::string unknown_key_sentence(const std::string& key, const std::vector<std::string>& known) {
  const std::optional<std::string> meant = nearest(key, known);
  if (meant) return fmt::format("unknown key; did you mean \"{}\"?", *meant);
  return fmt::format("unknown key; known here: {}.", join(known, ", "));
}

std::string not_allowed_sentence(const std::string& found, const std::vector<std::string>& allowed) {
  const std::optional<std::string> meant = nearest(found, allowed);
  return fmt::format("found {}, allowed is one of {}{}.", short_json(found), join(allowed, ", "),
                     meant ? fmt::format(" (did you mean \"{}\"?)", *meant) : "");
}

namespace config_detail {

void read(Visitable settings, const Json& json, const std::string& path, ConfigErrors& errors) {
  if (!json.is_object()) {
    errors.add(path, fmt::format("found {}, expected an object.", short_json(json)));
    return;
  }
  Reader reader(json, path, errors);
  settings.visit(reader);
  reader.finish_level();
}

Json write(Visitable settings) {
  Writer writer;
  settings.visit(writer);
  return writer.take();
}

Json schema(Visitable settings) {
  SchemaBuilder builder;
  settings.visit(builder);
  return builder.take();
}

std::vector<FieldListing> list(Visitable settings) {
  Lister lister;
  settings.visit(lister);
  return lister.take();
}

}  // namespace config_detail
}  // namespace moe
