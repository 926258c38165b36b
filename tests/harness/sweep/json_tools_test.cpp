#include "harness/sweep/json_tools.h"

#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

using test::json;

TEST_CASE("leaves takes nested and dotted keys alike") {
  const auto found = leaves(json(R"({"a": {"b": 1, "c": {"d": [2]}}, "a.e": {"f": 3}, "g": {}})"), "top");
  std::vector<std::string> texts;
  for (const PathValue& leaf : found) texts.push_back(leaf.path + "=" + leaf.value.dump());
  CHECK(texts == std::vector<std::string>{"top.a.b=1", "top.a.c.d=[2]", "top.a.e.f=3", "top.g={}"});
}

TEST_CASE("find_at and erase_at follow a path, or find nothing") {
  Json object = json(R"({"a": {"b": {"c": 1}}, "d": 5})");
  CHECK(*find_at(object, "a.b.c") == 1);
  CHECK(find_at(object, "a.x") == nullptr);
  CHECK(find_at(object, "d.x") == nullptr);
  erase_at(object, "a.b.c");
  erase_at(object, "a.x.y");
  erase_at(object, "d.e");
  CHECK(object == json(R"({"a": {"b": {}}, "d": 5})"));
}

TEST_CASE("merge_at makes objects on the way and merges deeply") {
  Json object = json(R"({"a": {"b": 1, "c": {"d": 2}}})");
  merge_at(object, "a", json(R"({"c": {"e": 3}, "b": [4]})"));
  merge_at(object, "x.y", json("5"));
  CHECK(object == json(R"({"a": {"b": [4], "c": {"d": 2, "e": 3}}, "x": {"y": 5}})"));
  merge_at(object, "a", json("7"));  // a value replaces an object
  merge_at(object, "x.y.z", json("8"));
  CHECK(object == json(R"({"a": 7, "x": {"y": {"z": 8}}})"));
}

TEST_CASE("a path is at or below its ancestors, not beside them") {
  CHECK(is_at_or_below("a.b", "a.b"));
  CHECK(is_at_or_below("a.b.c", "a.b"));
  CHECK_FALSE(is_at_or_below("a.bc", "a.b"));
  CHECK_FALSE(is_at_or_below("a", "a.b"));
}

TEST_CASE("differing_keys keeps what differs from the defaults") {
  CHECK(differing_keys(json(R"({"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 1}, "new": 0})"),
                       json(R"({"a": 1.0, "b": {"c": 2, "d": 4}, "e": {"f": 1}})")) ==
        json(R"({"b": {"d": 3}, "new": 0})"));
}

}  // namespace
}  // namespace moe
