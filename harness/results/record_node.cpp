#include "harness/results/record_node.h"

#include "core/config.h"
#include "core/error.h"

#include <utility>

namespace moe {

RecordNode::RecordNode(const Json& json, std::string file, std::string path)
    : json_(&json), file_(std::move(file)), path_(std::move(path)) {}

bool RecordNode::has(const std::string& key) const {
  return json_->is_object() && json_->contains(key) && !json_->at(key).is_null();
}

RecordNode RecordNode::at(const std::string& key) const {
  MOE_CHECK(object().contains(key), "{}: the key \"{}\" is missing.", place(), key);
  return {json_->at(key), file_, join_path(path_, key)};
}

std::vector<RecordNode> RecordNode::items() const {
  expect(json_->is_array(), "a list");
  std::vector<RecordNode> nodes;
  for (std::size_t i = 0; i < json_->size(); ++i)
    nodes.emplace_back((*json_)[i], file_, fmt::format("{}[{}]", path_, i));
  return nodes;
}

double RecordNode::number() const {
  expect(json_->is_number(), "a number");
  return json_->get<double>();
}

std::int64_t RecordNode::integer() const {
  expect(json_->is_number_integer(), "an integer");
  return json_->get<std::int64_t>();
}

std::string RecordNode::text() const {
  expect(json_->is_string(), "a string");
  return json_->get<std::string>();
}

bool RecordNode::flag() const {
  expect(json_->is_boolean(), "true or false");
  return json_->get<bool>();
}

const Json& RecordNode::object() const {
  expect(json_->is_object(), "an object");
  return *json_;
}

std::string RecordNode::place() const {
  return path_.empty() ? file_ : file_ + ": " + path_;
}

void RecordNode::expect(bool condition, const char* what) const {
  MOE_CHECK(condition, "{}: {} was expected, not {}.", place(), what,
            json_->is_structured() ? json_->type_name() : json_->dump());
}

}  // namespace moe
