#pragma once
// Records: structs that declare each key of a JSON document once.
//
// A record declares its keys in a member `void visit(RecordVisitor&)`, in the order in which they are written; from
// that one declaration come the writer, the strict reader and the JSON Schema:
//
//     struct ParameterRecord {
//       std::int64_t total = 0;
//       void visit(RecordVisitor& visitor) { visitor.field({.key = "total", .minimum = 1}, total); }
//     };
//
// A member is a bool, std::int64_t, double, std::string or Json, another record, or an optional, a vector or a map from
// strings of any of these. Settings have a visitor of their own (core/config.h): a document of settings is written by
// people, so its keys have defaults, and all its errors are collected.

#include "harness/results/record_node.h"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace moe {

enum class Presence {
  required,  ///< always written, and every document has it
  written,   ///< always written, but documents of older versions may lack it
  if_any,    ///< written where there is a value
};

/// What is said about one key. Bounds, pattern and choices are those of the value itself, or of each item of a list.
struct RecordField {
  std::string key;
  std::string help = {};
  Presence presence = Presence::required;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};  ///< allowed strings; empty: any
  std::string pattern = {};               ///< of strings, for the schema
  bool filled = false;                    ///< of a string, list or map: never empty
  Json schema = Json();                   ///< in place of the one that follows from the type
};

class RecordVisitor;

/// The value behind a key, whatever its type.
class RecordValue {
 public:
  virtual ~RecordValue() = default;
  virtual Json write() const = 0;
  virtual void read(const RecordNode& node, const RecordField& field) = 0;
  virtual Json schema(const RecordField& field) const = 0;
  virtual bool is_empty() const = 0;     ///< nothing that `if_any` would write
  virtual bool is_optional() const = 0;  ///< null and a missing key mean the same
};

/// Sees every key of a record with the member behind it.
class RecordVisitor {
 public:
  virtual ~RecordVisitor() = default;

  template <class Value>
  void field(const RecordField& field, Value& value);

 protected:
  virtual void see(const RecordField& field, RecordValue& value) = 0;
};

namespace record_detail {

/// Hands a visitor to a record.
using Visit = void (*)(void* record, RecordVisitor& visitor);

Json write_object(void* record, Visit visit);
void read_object(void* record, Visit visit, const RecordNode& node);
Json object_schema(void* record, Visit visit);
Json number_schema(const char* type, const RecordField& field);
Json string_schema(const RecordField& field);
Json list_schema(Json items, const RecordField& field);
Json map_schema(Json values, const RecordField& field);
Json or_null(Json schema);
RecordField item_of(RecordField list);
std::string checked_choice(const RecordNode& node, const RecordField& field);

/// How a type is written, read and described: here a record.
template <class Record>
struct Codec {
  static void visit(void* record, RecordVisitor& visitor) { static_cast<Record*>(record)->visit(visitor); }
  static Json write(Record record) { return write_object(&record, visit); }
  static void read(const RecordNode& node, const RecordField& /*field*/, Record& record) {
    read_object(&record, visit, node);
  }
  static Json schema(const RecordField& /*field*/) {
    Record record;
    return object_schema(&record, visit);
  }
  static bool is_empty(const Record& /*record*/) { return false; }
};

template <>
struct Codec<bool> {
  static Json write(bool value) { return value; }
  static void read(const RecordNode& node, const RecordField& /*field*/, bool& value) { value = node.flag(); }
  static Json schema(const RecordField& /*field*/) { return {{"type", "boolean"}}; }
  static bool is_empty(bool value) { return !value; }
};

template <>
struct Codec<std::int64_t> {
  static Json write(std::int64_t value) { return value; }
  static void read(const RecordNode& node, const RecordField& /*field*/, std::int64_t& value) {
    value = node.integer();
  }
  static Json schema(const RecordField& field) { return number_schema("integer", field); }
  static bool is_empty(std::int64_t /*value*/) { return false; }
};

/// A number that is not finite is written as null.
template <>
struct Codec<double> {
  static Json write(double value) { return value; }
  static void read(const RecordNode& node, const RecordField& /*field*/, double& value) { value = node.number(); }
  static Json schema(const RecordField& field) { return number_schema("number", field); }
  static bool is_empty(double /*value*/) { return false; }
};

template <>
struct Codec<std::string> {
  static Json write(const std::string& value) { return value; }
  static void read(const RecordNode& node, const RecordField& field, std::string& value) {
    value = checked_choice(node, field);
  }
  static Json schema(const RecordField& field) { return string_schema(field); }
  static bool is_empty(const std::string& value) { return value.empty(); }
};

/// An object that is passed on as it is.
template <>
struct Codec<Json> {
  static Json write(const Json& value) { return value; }
  static void read(const RecordNode& node, const RecordField& /*field*/, Json& value) { value = node.object(); }
  static Json schema(const RecordField& /*field*/) { return {{"type", "object"}}; }
  static bool is_empty(const Json& value) { return value.is_null(); }
};

template <class Value>
struct Codec<std::optional<Value>> {
  static Json write(const std::optional<Value>& value) { return value ? Codec<Value>::write(*value) : Json(); }
  static void read(const RecordNode& node, const RecordField& field, std::optional<Value>& value) {
    value.reset();
    if (!node.is_null()) Codec<Value>::read(node, field, value.emplace());
  }
  static Json schema(const RecordField& field) {
    Json schema = Codec<Value>::schema(field);
    return field.presence == Presence::if_any ? schema : or_null(std::move(schema));
  }
  static bool is_empty(const std::optional<Value>& value) { return !value; }
};

template <class Value>
struct Codec<std::vector<Value>> {
  static Json write(const std::vector<Value>& values) {
    Json list = Json::array();
    for (const Value& value : values) list.push_back(Codec<Value>::write(value));
    return list;
  }
  static void read(const RecordNode& node, const RecordField& field, std::vector<Value>& values) {
    values.clear();
    for (const RecordNode& item : node.items()) Codec<Value>::read(item, field, values.emplace_back());
  }
  static Json schema(const RecordField& field) { return list_schema(Codec<Value>::schema(item_of(field)), field); }
  static bool is_empty(const std::vector<Value>& values) { return values.empty(); }
};

template <class Value>
struct Codec<std::map<std::string, Value>> {
  static Json write(const std::map<std::string, Value>& values) {
    Json object = Json::object();
    for (const auto& [key, value] : values) object[key] = Codec<Value>::write(value);
    return object;
  }
  static void read(const RecordNode& node, const RecordField& field, std::map<std::string, Value>& values) {
    values.clear();
    for (const auto& [key, value] : node.object().items()) Codec<Value>::read(node.at(key), field, values[key]);
  }
  static Json schema(const RecordField& field) { return map_schema(Codec<Value>::schema(item_of(field)), field); }
  static bool is_empty(const std::map<std::string, Value>& values) { return values.empty(); }
};

template <class Value>
inline constexpr bool is_optional = false;
template <class Value>
inline constexpr bool is_optional<std::optional<Value>> = true;

template <class Value>
class ValueOf : public RecordValue {
 public:
  explicit ValueOf(Value& value) : value_(value) {}
  Json write() const override { return Codec<Value>::write(value_); }
  void read(const RecordNode& node, const RecordField& field) override { Codec<Value>::read(node, field, value_); }
  Json schema(const RecordField& field) const override { return Codec<Value>::schema(field); }
  bool is_empty() const override { return Codec<Value>::is_empty(value_); }
  bool is_optional() const override { return record_detail::is_optional<Value>; }

 private:
  Value& value_;
};

}  // namespace record_detail

template <class Value>
void RecordVisitor::field(const RecordField& field, Value& value) {
  record_detail::ValueOf<Value> behind(value);
  see(field, behind);
}

/// The record as JSON, keys in the order of their declaration.
template <class Record>
Json write_record(const Record& record) {
  return record_detail::Codec<Record>::write(record);
}

/// Reads a record. Keys that it does not declare are passed over; a key of an optional, or one that older versions did
/// not write, may be missing or null. Throws (request_wrong) with file and JSON path for what else is missing or of
/// another type.
template <class Record>
Record read_record(const RecordNode& node) {
  Record record;
  record_detail::Codec<Record>::read(node, {}, record);
  return record;
}

/// JSON Schema (2020-12) of the keys as `record` declares them.
template <class Record>
Json record_schema(Record record) {
  return record_detail::object_schema(&record, record_detail::Codec<Record>::visit);
}

}  // namespace moe
