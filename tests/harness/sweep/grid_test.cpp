#include "harness/sweep/grid.h"

#include "routers/registry.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {
namespace {

using test::json;

/// The configurations that a sweep makes, before they are read, each as one line of JSON.
std::vector<std::string> expanded(const std::string& base, const std::string& grid, const std::string& include = "[]") {
  ConfigErrors errors;
  const auto axes = read_axes(json(grid), all_config_paths(), errors);
  const auto includes = read_entries(json(include), "include", all_config_paths(), errors);
  std::vector<std::string> configs;
  for (const Candidate& candidate : expand(json(base), axes, includes, errors))
    configs.push_back(candidate.config.dump());
  CHECK(errors.sentences() == std::vector<std::string>{});
  return configs;
}

using Lines = std::vector<std::string>;

TEST_CASE("without axes the base is the one run") {
  CHECK(expanded(R"({"training": {"seed": 3}})", "{}") == Lines{R"({"training":{"seed":3}})"});
}

TEST_CASE("axes are crossed, the last one fastest") {
  CHECK(expanded("{}", R"({"strategy.experts": [2, 4], "training.seed": [1, 2]})") ==
        Lines{R"({"strategy":{"experts":2},"training":{"seed":1}})",
              R"({"strategy":{"experts":2},"training":{"seed":2}})",
              R"({"strategy":{"experts":4},"training":{"seed":1}})",
              R"({"strategy":{"experts":4},"training":{"seed":2}})"});
}

TEST_CASE("an axis of lists takes each list as one value") {
  CHECK(expanded("{}", R"({"data.directions": [["de-en"], ["de-en", "fr-en"]]})") ==
        Lines{R"({"data":{"directions":["de-en"]}})", R"({"data":{"directions":["de-en","fr-en"]}})"});
}

TEST_CASE("an object is merged deeply into the section of its axis") {
  CHECK(expanded(R"({"strategy": {"router": "dense", "objective": {"passes": 2}}})",
                 R"({"strategy": [{"router": "thor", "objective": {"consistency": 1}}, {"router": "hash"}]})") ==
        Lines{R"({"strategy":{"router":"thor","objective":{"passes":2,"consistency":1}}})",
              R"({"strategy":{"router":"hash","objective":{"passes":2}}})"});
}

TEST_CASE("an object among the routers is a strategy") {
  CHECK(expanded("{}", R"({"strategy.router": ["hash", {"router": "thor", "objective": {"consistency": 0}}]})") ==
        Lines{R"({"strategy":{"router":"hash"}})", R"({"strategy":{"router":"thor","objective":{"consistency":0}}})"});
}

TEST_CASE("an include is crossed with the axes that it leaves free") {
  const std::string grid = R"({"strategy.router": ["hash"], "training.seed": [1, 2]})";
  CHECK(expanded("{}", grid, R"([{"strategy": {"router": "dense"}}])") ==
        Lines{R"({"strategy":{"router":"hash"},"training":{"seed":1}})",
              R"({"strategy":{"router":"hash"},"training":{"seed":2}})",
              R"({"training":{"seed":1},"strategy":{"router":"dense"}})",
              R"({"training":{"seed":2},"strategy":{"router":"dense"}})"});
  CHECK(expanded("{}", grid, R"([{"strategy.router": "dense", "training": {"seed": 9}}])").back() ==
        R"({"strategy":{"router":"dense"},"training":{"seed":9}})");
}

TEST_CASE("a key above or below an axis fixes it, a key beside it does not") {
  const std::string grid = R"({"strategy": [{"router": "hash"}, {"router": "thor"}]})";
  CHECK(expanded("{}", grid, R"([{"strategy.router": "dense"}])").size() == 2 + 1);
  CHECK(expanded("{}", R"({"strategy.router": ["hash", "thor"]})", R"([{"strategy.experts": 2}])").size() == 2 + 2);
}

TEST_CASE("an entry matches when every key has its value or one of its list") {
  const Json config = json(R"({"data": {"directions": ["de-en"]}, "strategy": {"router": "hash", "experts": 8}})");
  const auto match = [&](const std::string& entry) {
    ConfigErrors errors;
    return matches(config, read_entry(json(entry), "exclude[0]", all_config_paths(), errors));
  };
  CHECK(match(R"({"strategy.router": "hash"})"));
  CHECK(match(R"({"strategy": {"router": ["thor", "hash"], "experts": [8]}})"));
  CHECK_FALSE(match(R"({"strategy.router": "hash", "strategy.experts": [2, 4]})"));
  CHECK_FALSE(match(R"({"strategy.capacity": 8})"));               // the run has no such key
  CHECK(match(R"({"data.directions": ["de-en"]})"));               // the list is the value...
  CHECK(match(R"({"data.directions": [["fr-en"], ["de-en"]]})"));  // ...or one of the list's
  CHECK_FALSE(match(R"({"data.directions": ["de-en", "fr-en"]})"));
}

TEST_CASE("an error is placed where its value stands in the file") {
  ConfigErrors errors;
  const auto axes =
      read_axes(json(R"({"strategy.experts": [2, 0], "strategy.router": [{"router": "thor", "inference": 3}],
                                      "model.moe_layers": [[1, 9]]})"),
                all_config_paths(), errors);
  const auto includes = read_entries(json(R"([{"training": {"seed": -1}}])"), "include", all_config_paths(), errors);
  const auto candidates = expand(json("{}"), axes, includes, errors);
  CHECK(candidates[0].place_of("strategy.experts") == "grid.strategy.experts[0]");
  CHECK(candidates[1].place_of("strategy.experts") == "grid.strategy.experts[1]");
  CHECK(candidates[1].place_of("strategy.inference") == "grid.strategy.router[0].inference");
  CHECK(candidates[1].place_of("model.moe_layers[1]") == "grid.model.moe_layers[0][1]");
  CHECK(candidates[1].place_of("training.updates") == "training.updates");
  CHECK(candidates.back().place_of("training.seed") == "include[0].training.seed");
}

TEST_CASE("what is no axis and no entry is an error each") {
  ConfigErrors errors;
  const ConfigPaths& paths = all_config_paths();
  read_axes(json("[1]"), paths, errors);
  read_axes(json(R"({"training.sed": [1], "trainin.seed": [1], "training.seed": 1, "training.updates": [],
                     "training.seed.x": [1]})"),
            paths, errors);
  read_entries(json("{}"), "include", paths, errors);
  read_entries(json(R"([1, {}, {"training.seed": 1, "training": {"seed": 2}}])"), "exclude", paths, errors);
  CHECK(each_names(errors.sentences(), {{"grid: found [1]", "object"},
                                        {"grid.training.sed: ", "\"seed\""},
                                        {"grid.trainin.seed: ", "\"training\""},
                                        {"grid.training.seed: found 1", "list"},
                                        {"grid.training.updates: found []", "list"},
                                        {"grid.training.seed.x: ", "\"training.seed\""},
                                        {"include: found {}", "list"},
                                        {"exclude[0]: found 1", "object"},
                                        {"exclude[1]: found {}", "at least one key"},
                                        {"exclude[2].training.seed: ", "twice"}}));
}

TEST_CASE("a condition that can never hold is an error") {
  ConfigErrors errors;
  const ConfigPaths& paths = all_config_paths();
  check_conditions(
      read_entry(json(R"({"strategy.router": ["thor", "hsh"], "strategy.experts": "8", "training.flops": null,
                                      "data.directions": [["de-en"], "fr-en"], "model.moe_layers": [1, 3]})"),
                 "exclude[0]", paths, errors),
      paths, errors);
  CHECK(each_names(errors.sentences(), {{"exclude[0].strategy.router[1]: found \"hsh\""},
                                        {"exclude[0].strategy.experts: found \"8\"", "whole number"},
                                        {"exclude[0].data.directions[1]: found \"fr-en\"", "list"}}));
}

TEST_CASE("a grid that explodes is refused before it is made") {
  std::string seeds = "1";
  for (int i = 2; i <= 200; ++i) seeds += "," + std::to_string(i);
  Json grid = json(R"({"training.seed": [)" + seeds + R"(], "training.updates": [)" + seeds +
                   R"(], "training.warmup": [)" + seeds + "]}");
  ConfigErrors errors;
  const auto axes = read_axes(grid, all_config_paths(), errors);
  CHECK(expand(json("{}"), axes, {}, errors).size() == 1);
  CHECK(each_names(errors.sentences(), {{"grid: ", "10000"}}));
}

}  // namespace
}  // namespace moe
