#include "routers/registry.h"

#include "core/error.h"
#include "tests/routers/fixture.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("the dense controls come first in charts and tables") {
  const std::vector<std::string> names = router_names();
  const std::vector<std::string> controls = {"dense", "dense-2x", "dense-wide"};
  REQUIRE(names.size() > controls.size());
  CHECK(std::equal(controls.begin(), controls.end(), names.begin()));
}

TEST_CASE("an unknown name is an error that names the nearest and all known ones") {
  std::string sentence;
  try {
    find_router("gshad");
  } catch (const Error& error) {
    sentence = error.what();
  }
  CHECK(sentence.starts_with(
      "unknown router \"gshad\"; did you mean \"gshard\"?; known are dense, dense-2x, dense-wide, "));
}

TEST_CASE("an unknown option is an error with its path") {
  ConfigErrors errors;
  find_router("switch").resolve({{"expert", 4}}, "strategy", errors);
  REQUIRE(errors.sentences().size() == 1);
  CHECK(errors.sentences()[0] == "strategy.expert: unknown key; did you mean \"experts\"?");
}

TEST_CASE("every router says what it is and where it comes from") {
  for (const RouterEntry& router : all_routers()) {
    CAPTURE(router.name);
    CHECK_FALSE(router.summary.empty());
    CHECK_FALSE(router.source.empty());
    CHECK(router.objective.is_object());
  }
}

TEST_CASE("the defaults of every router are complete, valid and what its listing and schema say") {
  for (const RouterEntry& router : all_routers()) {
    CAPTURE(router.name);
    ConfigErrors errors;
    const Json resolved = router.resolve(Json::object(), "strategy", errors);
    CHECK(router.resolve(resolved, "strategy", errors) == resolved);
    CHECK(errors.empty());

    const Json schema = router.options_schema();
    const std::vector<FieldListing> listing = router.list_options();
    CHECK(listing.size() == resolved.size());
    for (const FieldListing& option : listing) {
      CAPTURE(option.path);
      CHECK(resolved[option.path] == option.default_value);
      CHECK(schema["properties"][option.path]["default"] == option.default_value);
      CHECK_FALSE(option.help.empty());
    }
  }
}

TEST_CASE("gates come with a balance loss, thor with two passes, others with nothing") {
  for (const char* name : {"switch", "switch-paper", "frozen", "gshard", "gshard-paper"}) {
    CHECK(find_router(name).objective.dump() == R"({"balance_loss":0.01})");
  }
  for (const char* name : {"dense", "dense-2x", "dense-wide", "hash", "random"}) {
    CHECK(find_router(name).objective.dump() == "{}");
  }
  CHECK(find_router("thor").objective.dump() == R"({"passes":2,"consistency":5.0})");
}

}  // namespace moe
