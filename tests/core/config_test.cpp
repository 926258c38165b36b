#include "core/config.h"

#include "core/error.h"
#include "tests/support/catch.h"

#include <limits>

namespace moe {
namespace {

struct Inner {
  double rate = 0.5;
  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "rate", .help = "of something", .minimum = 0, .maximum = 1}, rate);
  }
};

struct Outer {
  bool flag = false;
  std::int64_t steps = 10;
  std::string mode = "fast";
  std::optional<std::int64_t> limit;
  std::optional<double> factor = 1.5;
  std::vector<std::string> names = {"a"};
  Json blocks;
  std::int64_t size = 0;
  Inner inner;

  void visit(FieldVisitor& visitor) {
    visitor.field({.key = "flag", .help = "on or off"}, flag);
    visitor.field({.key = "steps", .help = "how many", .minimum = 1}, steps);
    visitor.field({.key = "mode", .help = "how", .choices = {"fast", "careful"}}, mode);
    visitor.field({.key = "limit", .help = "at most", .minimum = 1}, limit);
    visitor.field({.key = "factor", .help = "times", .minimum = 0, .above_minimum = true}, factor);
    visitor.field({.key = "names", .help = "which"}, names);
    visitor.field({.key = "blocks", .help = "where", .schema = {{"type", {"array", "null"}}}}, blocks);
    visitor.field({.key = "size", .help = "how large", .maximum = 1e12}, size);
    visitor.section({.key = "inner", .help = "more"}, inner);
  }
};

std::vector<std::string> errors_of(const std::string& text) {
  Outer outer;
  ConfigErrors errors;
  read_settings(outer, parse_json(text, "test"), "outer", errors);
  return errors.sentences();
}

TEST_CASE("reading overwrites the keys that are given and keeps the others") {
  Outer outer;
  ConfigErrors errors;
  read_settings(outer,
                parse_json(R"({"flag": true, "steps": 2e1, "limit": 3, "factor": null, "names": [],
                                      "blocks": [1], "inner": {"rate": 1}})",
                           "test"),
                "", errors);
  CHECK(errors.empty());
  CHECK(outer.flag);
  CHECK(outer.steps == 20);  // 2e1 is an integer in JSON Schema
  CHECK(outer.mode == "fast");
  CHECK(outer.limit == 3);
  CHECK_FALSE(outer.factor.has_value());
  CHECK(outer.names.empty());
  CHECK(outer.blocks == Json{1});
  CHECK(outer.inner.rate == 1);
}

TEST_CASE("every error is found at once, each with path, finding and what is allowed") {
  CHECK(errors_of(R"({"flag": 1, "steps": 0, "mode": "carefull", "limit": 0.5, "factor": 0, "names": "a",
                      "inner": {"rate": 1.5, "rat": 1}, "stepps": 1, "zzz": 1})") ==
        std::vector<std::string>{
            "outer.flag: found 1, expected true or false.", "outer.steps: found 0, allowed is at least 1.",
            "outer.mode: found \"carefull\", allowed is one of fast, careful (did you mean \"careful\"?).",
            "outer.limit: found 0.5, expected a whole number or null.", "outer.factor: found 0, allowed is above 0.",
            "outer.names: found \"a\", expected a list of strings.", "outer.inner.rate: found 1.5, allowed is 0 to 1.",
            "outer.inner.rat: unknown key; did you mean \"rate\"?",
            "outer.stepps: unknown key; did you mean \"steps\"?",
            "outer.zzz: unknown key; known here: flag, steps, mode, limit, factor, names, blocks, size, inner."});
}

TEST_CASE("numbers that do not fit are refused, not wrapped") {
  CHECK(errors_of(R"({"steps": 18446744073709551615})") ==
        std::vector<std::string>{"outer.steps: found 18446744073709551615, allowed is 1 to 9223372036854775807."});
  CHECK(errors_of(R"({"steps": 9223372036854775808})") ==
        std::vector<std::string>{"outer.steps: found 9223372036854775808, allowed is 1 to 9223372036854775807."});
  CHECK(errors_of(R"({"steps": 1e30, "size": -1e30})") ==
        std::vector<std::string>{"outer.steps: found 1e+30, allowed is 1 to 9223372036854775807.",
                                 "outer.size: found -1e+30, allowed is -9223372036854775808 to 1000000000000."});
}

TEST_CASE("every integer is read as it stands, and limits are written in digits") {
  Outer outer;
  ConfigErrors errors;
  read_settings(outer, parse_json(R"({"steps": 9223372036854775807, "size": -9223372036854775808})", "test"), "",
                errors);
  CHECK(errors.sentences() == std::vector<std::string>{});
  CHECK(outer.steps == std::numeric_limits<std::int64_t>::max());
  CHECK(outer.size == std::numeric_limits<std::int64_t>::min());
  CHECK(errors_of(R"({"size": 1000000000001, "inner": {"rate": 1e-9}})") ==
        std::vector<std::string>{"outer.size: found 1000000000001, allowed is at most 1000000000000."});
}

TEST_CASE("a value of the wrong shape is one error, and cut when it is long") {
  CHECK(errors_of("[1]") == std::vector<std::string>{"outer: found [1], expected an object."});
  CHECK(errors_of(R"({"inner": 3})") == std::vector<std::string>{"outer.inner: found 3, expected an object."});
  CHECK(errors_of("{\"steps\": \"" + std::string(100, 'x') + "\"}") ==
        std::vector<std::string>{"outer.steps: found \"" + std::string(59, 'x') + "..., expected a whole number."});
}

TEST_CASE("writing gives every key, and reading that back changes nothing") {
  const Json written = write_settings(Outer{});
  CHECK(written == parse_json(R"({"flag": false, "steps": 10, "mode": "fast", "limit": null, "factor": 1.5,
                                  "names": ["a"], "blocks": null, "size": 0, "inner": {"rate": 0.5}})",
                              "test"));
  CHECK(errors_of(written.dump()).empty());
}

TEST_CASE("schema and listing come from the same declaration") {
  const Json schema = schema_of(Outer{});
  CHECK(schema["additionalProperties"] == false);
  CHECK(schema["properties"]["steps"] ==
        Json{{"type", "integer"}, {"minimum", 1}, {"default", 10}, {"description", "how many"}});
  CHECK(schema["properties"]["factor"]["type"] == Json{"number", "null"});
  CHECK(schema["properties"]["factor"]["exclusiveMinimum"] == 0);
  CHECK(schema["properties"]["inner"]["properties"]["rate"]["maximum"] == 1);
  CHECK(schema["properties"]["blocks"]["type"] == Json{"array", "null"});

  const std::vector<FieldListing> listing = list_fields(Outer{});
  REQUIRE(listing.size() == 9);
  CHECK(listing[2].path == "mode");
  CHECK(listing[2].allowed == "one of fast, careful");
  CHECK(listing[3].type == "integer or null");
  CHECK(listing[4].allowed == "above 0");
  CHECK(listing[7].allowed == "at most 1000000000000");
  CHECK(listing[8].path == "inner.rate");
  CHECK(listing[8].allowed == "0 to 1");
  CHECK(listing[8].default_value == 0.5);
}

TEST_CASE("ConfigErrors keeps each error once and throws them together") {
  ConfigErrors errors;
  CHECK_NOTHROW(errors.throw_if_any("sweep.json"));
  errors.add("a.b", "wrong.");
  errors.add("a.b", "wrong.");
  errors.check(true, "a.c", "never.");
  errors.add("", "the whole of it.");
  CHECK_THROWS_WITH(errors.throw_if_any("sweep.json"), "sweep.json: a.b: wrong.\nsweep.json: the whole of it.");
}

}  // namespace
}  // namespace moe
