#include "harness/sweep/set_option.h"

#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {
namespace {

using test::Lines;

std::string after(const std::string& sweep, const std::vector<std::string>& settings) {
  Json json = parse_json(sweep, "test");
  ConfigErrors errors;
  apply_settings(json, settings, errors);
  CHECK(errors.empty());
  return json.dump();
}

TEST_CASE("a value is JSON, or a string where it is not") {
  CHECK(
      after("{}", {"training.seed=3", "training.precision=bf16", "data.root=../x=y", "training.flops=null",
                   "data.directions=[\"de-en\"]", "data.train=\"2016\""}) ==
      R"({"training":{"seed":3,"precision":"bf16","flops":null},"data":{"root":"../x=y","directions":["de-en"],"train":"2016"}})");
}

TEST_CASE("a value replaces the value and the axis") {
  CHECK(after(R"({"training": {"seed": 1}, "grid": {"training.seed": [1, 2], "strategy.experts": [2]}})",
              {"training.seed=5"}) == R"({"training":{"seed":5},"grid":{"strategy.experts":[2]}})");
  CHECK(
      after(
          R"({"strategy": {"router": "dense", "experts": 2}, "grid": {"strategy.experts": [2], "training.seed": [1]}})",
          {R"(strategy={"router": "thor"})"}) == R"({"grid":{"training.seed":[1]},"strategy":{"router":"thor"}})");
}

TEST_CASE("a list replaces the axis, or makes one") {
  CHECK(after(R"({"grid": {"training.seed": [1, 2], "strategy.experts": [2]}})", {"training.seed=[7]"}) ==
        R"({"grid":{"training.seed":[7],"strategy.experts":[2]}})");
  CHECK(after("{}", {"training.seed=[1,2]"}) == R"({"grid":{"training.seed":[1,2]}})");
  CHECK(after(R"({"grid": {"training.seed": [1, 2]}})", {"grid.training.seed=[3]"}) ==
        R"({"grid":{"training.seed":[3]}})");
}

TEST_CASE("for a key that takes a list, a list is a value and a list of lists an axis") {
  CHECK(after(R"({"grid": {"data.directions": [["de-en"]]}})", {R"(data.directions=["fr-en"])"}) ==
        R"({"grid":{},"data":{"directions":["fr-en"]}})");
  CHECK(after("{}", {R"(data.directions=[["de-en"],["fr-en"]])"}) ==
        R"({"grid":{"data.directions":[["de-en"],["fr-en"]]}})");
  CHECK(after("{}", {"model.moe_layers=[1,3]"}) == R"({"model":{"moe_layers":[1,3]}})");
  CHECK(after("{}", {"model.moe_layers=[[1],null]"}) == R"({"grid":{"model.moe_layers":[[1],null]}})");
}

TEST_CASE("a value is taken from the objects of an axis above it") {
  CHECK(after(R"({"grid": {"strategy": [{"router": "thor", "experts": 2}, {"router": "hash"}]}})",
              {"strategy.experts=8"}) ==
        R"({"grid":{"strategy":[{"router":"thor"},{"router":"hash"}]},"strategy":{"experts":8}})");
  CHECK(
      after(
          R"({"grid": {"strategy.router": ["hash", {"router": "thor", "objective": {"passes": 2, "consistency": 1}}]}})",
          {"strategy.objective.consistency=0"}) ==
      R"({"grid":{"strategy.router":["hash",{"router":"thor","objective":{"passes":2}}]},"strategy":{"objective":{"consistency":0}}})");
}

TEST_CASE("other parts are replaced as they are") {
  CHECK(after(R"({"name": "a", "include": [{"training.seed": 1}]})", {"name=b", "include=[]"}) ==
        R"({"name":"b","include":[]})");
}

TEST_CASE("a setting that is none, or names no key, is an error") {
  CHECK(each_names(test::errors_of(test::small_sweep(), {"training.seed", "=3", "training.sed=1", "trainin.seed=1",
                                                         "x=1", "training.seed=\xFF"}),
                   {{"--set: found \"training.seed\"", "key.path=value"},
                    {"--set: found \"=3\"", "key.path=value"},
                    {"--set: found \"training.seed=\xEF\xBF\xBD\"", "key.path=value"},
                    {"trainin: unknown key", "\"training\""},
                    {"x: unknown key", "$schema, name, grid", "training, evaluation"},
                    {"training.sed: unknown key", "\"seed\""}}));
}

TEST_CASE("--set may take away the only router that knows a key of the base") {
  const Sweep sweep =
      test::read(test::small_sweep({{"strategy", {{"router", "switch"}, {"experts", 8}}}}), {"strategy.router=dense"});
  CHECK(test::names_of(sweep) == Lines{"dense e1 s1"});
}

}  // namespace
}  // namespace moe
