#pragma once
// A value of a JSON document with its place in it: the accessors of a strict reader, whose errors name file and path.

#include "core/json.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// A view: the document must outlive it. Every accessor throws Error (request_wrong) when the value is of another kind.
class RecordNode {
 public:
  RecordNode(const Json& json, std::string file, std::string path = "");
  RecordNode(Json&& json, std::string file, std::string path = "") = delete;

  bool is_null() const { return json_->is_null(); }
  /// True when the object has the key and its value is not null.
  bool has(const std::string& key) const;
  RecordNode at(const std::string& key) const;
  std::vector<RecordNode> items() const;
  double number() const;
  std::int64_t integer() const;
  std::string text() const;
  bool flag() const;
  const Json& object() const;

  /// "FILE: PATH".
  std::string place() const;

 private:
  void expect(bool condition, const char* what) const;

  const Json* json_;
  std::string file_;
  std::string path_;
};

}  // namespace moe
