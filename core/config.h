#pragma once
// Settings structs and strict JSON.
//
// A settings struct declares its keys once, in a member `void visit(FieldVisitor&)`; from that one declaration come the
// strict reader, the writer, the JSON Schema and the listing for users:
//
//     struct TrainingSettings {
//       std::int64_t updates = 4000;
//       void visit(FieldVisitor& visitor) {
//         visitor.field({.key = "updates", .help = "optimiser steps", .minimum = 1}, updates);
//       }
//     };

#include "core/json.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// What is said about one key: its name, one line of help, and what values it takes.
struct Field {
  std::string key;
  std::string help;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool above_minimum = false;             ///< the minimum itself is not allowed
  std::vector<std::string> choices = {};  ///< allowed strings; empty: any
  Json schema = Json();                   ///< for `Json` members: the JSON Schema of the value
};

/// Sees every key of a settings struct with the member behind it.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void field(const Field& field, bool& value) = 0;
  virtual void field(const Field& field, std::int64_t& value) = 0;
  virtual void field(const Field& field, double& value) = 0;
  virtual void field(const Field& field, std::string& value) = 0;
  virtual void field(const Field& field, std::optional<std::int64_t>& value) = 0;  ///< null: none
  virtual void field(const Field& field, std::optional<double>& value) = 0;
  virtual void field(const Field& field, std::vector<std::string>& value) = 0;
  virtual void field(const Field& field, Json& value) = 0;  ///< a value of several forms; its owner checks it

  /// A nested struct under one key.
  template <class Settings>
  void section(const Field& field, Settings& settings) {
    if (!begin_section(field)) return;
    settings.visit(*this);
    end_section();
  }

 protected:
  virtual bool begin_section(const Field& field) = 0;  ///< false: skip the section
  virtual void end_section() = 0;
};

/// One thing wrong with a configuration: the dotted path, `strategy.experts`, and what was found and what is allowed.
struct ConfigError {
  std::string path;
  std::string sentence;
};

/// Everything wrong with a configuration, each with its JSON path. Reading goes on after an error, so that a user sees
/// all of them at once.
class ConfigErrors {
 public:
  /// Adds the error once, however often it is found.
  void add(const std::string& path, const std::string& sentence);
  /// Adds `sentence` unless `condition`.
  void check(bool condition, const std::string& path, const std::string& sentence);
  bool empty() const { return errors_.empty(); }
  const std::vector<ConfigError>& errors() const { return errors_; }
  /// "PATH: sentence" of each.
  std::vector<std::string> sentences() const;
  /// Throws Error (request_wrong) with one line per error; does nothing when there is none. `document` is the
  /// file's name.
  void throw_if_any(const std::string& document) const;

 private:
  std::vector<ConfigError> errors_;
};

/// One key as `moe-bench list` prints it.
struct FieldListing {
  std::string path;  ///< dotted below the struct
  std::string type;
  Json default_value;
  std::string allowed;  ///< "at least 1", "one of a, b"; empty: anything of the type
  std::string help;
};

/// "a.b" below "" is "b": the path of `key` inside `parent`.
std::string join_path(const std::string& parent, const std::string& key);

/// The sentence for a key that nobody knows, naming the nearest known one.
std::string unknown_key_sentence(const std::string& key, const std::vector<std::string>& known);

/// The sentence for a string that is none of the allowed ones, naming the nearest.
std::string not_allowed_sentence(const std::string& found, const std::vector<std::string>& allowed);

namespace config_detail {

class Visitable {  // type erasure over any struct with visit()
 public:
  template <class Settings>
  explicit Visitable(Settings& settings)
      : settings_(&settings), visit_([](void* object, FieldVisitor& v) { static_cast<Settings*>(object)->visit(v); }) {}
  void visit(FieldVisitor& visitor) const { visit_(settings_, visitor); }

 private:
  void* settings_;
  void (*visit_)(void*, FieldVisitor&);
};

void read(Visitable settings, const Json& json, const std::string& path, ConfigErrors& errors);
Json write(Visitable settings);
Json schema(Visitable settings);
std::vector<FieldListing> list(Visitable settings);

}  // namespace config_detail

/// Overwrites the members that `json` names. Unknown keys, wrong types and values out of range are added to `errors`.
template <class Settings>
void read_settings(Settings& settings, const Json& json, const std::string& path, ConfigErrors& errors) {
  config_detail::read(config_detail::Visitable(settings), json, path, errors);
}

/// All keys with their values.
template <class Settings>
Json write_settings(Settings settings) {
  return config_detail::write(config_detail::Visitable(settings));
}

/// JSON Schema (2020-12) of the object, with defaults and help; no key is required.
template <class Settings>
Json schema_of(Settings settings) {
  return config_detail::schema(config_detail::Visitable(settings));
}

/// The keys of the struct, nested ones dotted, with the values it holds as defaults.
template <class Settings>
std::vector<FieldListing> list_fields(Settings settings) {
  return config_detail::list(config_detail::Visitable(settings));
}

}  // namespace moe
