#include "core/json.h"

#include "core/error.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

std::string failure_of(const std::string& text) {
  try {
    parse_json(text, "sweep.json");
    return "none";
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::request_wrong);
    return error.what();
  }
}

TEST_CASE("keys keep their order") {
  CHECK(parse_json(R"({"b": 1, "a": [true, null]})", "x").dump() == R"({"b":1,"a":[true,null]})");
  CHECK(format_json({{"b", 1}}) == "{\n  \"b\": 1\n}\n");
}

TEST_CASE("broken syntax is named with line and column") {
  CHECK(failure_of("") == "sweep.json:1:1: not valid JSON: unexpected end of input; expected '[', '{', or a literal.");
  CHECK(failure_of("{\n  \"a\": 1,\n}") == "sweep.json:3:1: not valid JSON: unexpected '}'; expected string literal.");
  CHECK(failure_of("{\"a\": 1\n \"b\": 2}") ==
        "sweep.json:2:4: not valid JSON: unexpected string literal; expected '}'.");
  CHECK(failure_of("{\"a\": x}") == "sweep.json:1:7: not valid JSON: invalid literal; last read: '\"a\": x'.");
  CHECK(failure_of("[1e999]") == "sweep.json: not valid JSON: number overflow parsing '1e999'.");
  CHECK(failure_of("[\"\xFF\"]") == "sweep.json:1:3: not valid JSON: invalid string: ill-formed UTF-8 byte.");
}

TEST_CASE("a key that stands twice is named with its path") {
  CHECK(failure_of(R"({"a": 1, "a": 2})") == "sweep.json: a: the key stands twice in one object.");
  CHECK(failure_of(R"({"include": [{"x": 1}, {"s": {"router": 1, "router": 1}}]})") ==
        "sweep.json: include[1].s.router: the key stands twice in one object.");
  CHECK(failure_of(R"({"a": {"x": 1}, "b": {"x": 1}})") == "none");
  CHECK(failure_of(R"([[], {"x": 1}, {"x": 1}])") == "none");

  std::vector<std::string> duplicates;
  const Json value = parse_json(R"({"a": 1, "b": {"c": 1, "c": 2}, "a": 3})", "x", duplicates);
  CHECK(duplicates == std::vector<std::string>{"b.c", "a"});
  CHECK(value == Json{{"a", 3}, {"b", {{"c", 2}}}});
}

TEST_CASE("nesting is bounded, so that no document can overflow the stack") {
  CHECK(failure_of(std::string(100, '[') + std::string(100, ']')) == "none");
  CHECK(failure_of(std::string(100000, '[')) == "sweep.json: nested more than 100 levels deep.");
}

TEST_CASE("bytes that are no UTF-8 are replaced, so that any text can stand in JSON") {
  CHECK(valid_utf8("plain, \u00e9") == "plain, \u00e9");
  CHECK(valid_utf8("caf\xe9: full") == "caf\uFFFD: full");
  CHECK(valid_utf8("") == "");
}

TEST_CASE("short_json cuts a long value, never inside a character") {
  CHECK(short_json(Json{1, "a"}) == R"([1,"a"])");
  CHECK(short_json(std::string(100, 'x')) == "\"" + std::string(59, 'x') + "...");
  CHECK(short_json(std::string(58, 'x') + "\xC3\xA4xx") == "\"" + std::string(58, 'x') + "...");
}

}  // namespace
}  // namespace moe
