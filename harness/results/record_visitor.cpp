#include "harness/results/record_visitor.h"

#include "core/error.h"
#include "core/text.h"

#include <algorithm>
#include <cmath>

namespace moe::record_detail {
namespace {

class Writer : public RecordVisitor {
 public:
  Json take() { return std::move(object_); }

 protected:
  void see(const RecordField& field, RecordValue& value) override {
    if (field.presence == Presence::if_any && value.is_empty()) return;
    object_[field.key] = value.write();
  }

 private:
  Json object_ = Json::object();
};

class Reader : public RecordVisitor {
 public:
  explicit Reader(const RecordNode& node) : node_(node) { node.object(); }

 protected:
  void see(const RecordField& field, RecordValue& value) override {
    const bool may_lack = field.presence != Presence::required || value.is_optional();
    if (!may_lack || node_.has(field.key)) value.read(node_.at(field.key), field);
  }

 private:
  const RecordNode& node_;
};

class SchemaBuilder : public RecordVisitor {
 public:
  Json take() {
    Json schema = {{"type", "object"}, {"additionalProperties", false}};
    if (!required_.empty()) schema["required"] = std::move(required_);
    schema["properties"] = std::move(properties_);
    return schema;
  }

 protected:
  void see(const RecordField& field, RecordValue& value) override {
    Json schema = field.schema.is_null() ? value.schema(field) : field.schema;
    if (!field.help.empty()) schema["description"] = field.help;
    properties_[field.key] = std::move(schema);
    if (field.presence == Presence::required) required_.push_back(field.key);
  }

 private:
  Json required_ = Json::array();
  Json properties_ = Json::object();
};

/// A bound as people write it: 1, not 1.0.
Json bound(double value) {
  return value == std::floor(value) ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

}  // namespace

Json write_object(void* record, Visit visit) {
  Writer writer;
  visit(record, writer);
  return writer.take();
}

void read_object(void* record, Visit visit, const RecordNode& node) {
  Reader reader(node);
  visit(record, reader);
}

Json object_schema(void* record, Visit visit) {
  SchemaBuilder builder;
  visit(record, builder);
  return builder.take();
}

Json number_schema(const char* type, const RecordField& field) {
  Json schema = {{"type", type}};
  if (std::isfinite(field.minimum)) schema["minimum"] = bound(field.minimum);
  if (std::isfinite(field.maximum)) schema["maximum"] = bound(field.maximum);
  return schema;
}

Json string_schema(const RecordField& field) {
  Json schema = {{"type", "string"}};
  if (!field.choices.empty()) schema["enum"] = field.choices;
  if (!field.pattern.empty()) schema["pattern"] = field.pattern;
  if (field.filled) schema["minLength"] = 1;
  return schema;
}

Json list_schema(Json items, const RecordField& field) {
  Json schema = {{"type", "array"}, {"items", std::move(items)}};
  if (field.filled) schema["minItems"] = 1;
  return schema;
}

Json map_schema(Json values, const RecordField& field) {
  Json schema = {{"type", "object"}, {"additionalProperties", std::move(values)}};
  if (field.filled) schema["minProperties"] = 1;
  return schema;
}

Json or_null(Json schema) {
  schema["type"] = Json::array({schema["type"], "null"});
  return schema;
}

RecordField item_of(RecordField list) {
  list.filled = false;
  return list;
}

std::string checked_choice(const RecordNode& node, const RecordField& field) {
  const std::string text = node.text();
  const bool known =
      field.choices.empty() || std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end();
  MOE_CHECK(known, "{} is \"{}\"; {} are known.", node.place(), text, join(field.choices, " and "));
  return text;
}

}  // namespace moe::record_detail
