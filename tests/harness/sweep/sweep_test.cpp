#include "harness/sweep/sweep.h"

#include "data/load_corpus.h"
#include "harness/sweep/config_paths.h"
#include "routers/registry.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

namespace moe {
namespace {

using test::errors_of;
using test::errors_of_text;
using test::json;
using test::Lines;
using test::names_of;
using test::read;
using test::small_sweep;

TEST_CASE("a sweep of nothing but its base is one run, named after the file") {
  const Sweep sweep = read(small_sweep());
  CHECK(sweep.name == "s");
  CHECK(names_of(sweep) == Lines{"switch e4 s1"});
}

TEST_CASE("runs that become the same are one run, in the order of the file") {
  const Sweep sweep = read(small_sweep(
      {{"grid",
        json(R"({"strategy.router": ["dense", "switch"], "strategy.experts": [2, 4], "training.seed": [1, 2]})")}}));
  CHECK(names_of(sweep) ==
        Lines{"dense e1 s1", "dense e1 s2", "switch e2 s1", "switch e2 s2", "switch e4 s1", "switch e4 s2"});
}

TEST_CASE("include and exclude") {
  const Sweep sweep = read(small_sweep(json(R"({
      "grid": {"strategy.router": ["hash", "thor"], "strategy.experts": [2, 8]},
      "include": [{"strategy": {"router": "dense", "objective": {"passes": 2, "consistency": 5.0}}}],
      "exclude": [{"strategy.router": "hash", "strategy.experts": [8, 16]}]})")));
  CHECK(names_of(sweep) == Lines{"hash e2 s1", "thor e2 s1", "thor e8 s1", "dense (2 passes, consistency 5) e1 s1"});
}

TEST_CASE("a wrong combination may be excluded") {
  const std::string grid = R"("grid": {"model.width": [96, 128], "model.heads": [3, 4]})";
  CHECK(each_names(errors_of(small_sweep(json("{" + grid + "}"))), {{"grid.model.heads[0]: ", "3 heads", "128"}}));
  const Sweep sweep = read(small_sweep(json("{" + grid + R"(, "exclude": [{"model.width": 128, "model.heads": 3}]})")));
  CHECK(sweep.runs.size() == 3);
}

TEST_CASE("a router among the values of an axis brings its own objective") {
  const Sweep sweep = read(small_sweep(json(R"({
      "grid": {"strategy.router": ["thor", {"router": "thor", "objective": {"consistency": 0}}, "random"]}})")));
  CHECK(names_of(sweep) == Lines{"thor e4 s1", "thor (consistency 0) e4 s1", "random e4 s1"});
}

TEST_CASE("presets on an axis") {
  const Sweep sweep = read(small_sweep(json(R"({"model": {"heads": 8}, "grid": {"model.preset": ["tiny", "base"]}})")));
  CHECK(sweep.runs[0].model.width == 128);
  CHECK(sweep.runs[1].model.width == 512);
  CHECK(sweep.runs[1].model.heads == 8);
}

TEST_CASE("an option may belong to a router that only an include names") {
  const Sweep sweep = read(small_sweep(json(R"({"strategy": {"router": "dense", "experts": 8, "distinct_pair": true},
                                                "include": [{"strategy.router": "thor"}]})")));
  CHECK(names_of(sweep) == Lines{"dense e1 s1", "thor (distinct_pair on) e8 s1"});
}

TEST_CASE("the resolved sweep has every default of its base and makes the same runs") {
  const Json given = small_sweep(json(R"({"training": {"updates": 7}, "claims": []})"));
  const Sweep plain = read(given);
  CHECK(plain.resolved["name"] == "s");
  CHECK(plain.resolved["training"]["updates"] == 7);
  CHECK(plain.resolved["training"]["warmup"] == 1000);
  CHECK(plain.resolved["model"]["width"] == 128);
  CHECK(plain.resolved["strategy"]["capacity_factor"].is_null());
  CHECK(plain.resolved["strategy"]["objective"]["balance_loss"] == 0.01);
  CHECK(plain.resolved["evaluation"]["beam"] == 5);

  // The defaults of another router or preset are its own: the base must not set them.
  const Sweep mixed = read(small_sweep(json(R"({"grid": {"strategy.router": ["switch-paper", "thor", "switch"],
                                                         "model.preset": ["tiny", "small"], "training.seed": [1, 2]}})")));
  CHECK(mixed.resolved["strategy"] == json(R"({"router": "switch"})"));
  for (const Sweep* sweep : {&plain, &mixed}) {
    const Sweep again = read(sweep->resolved);
    REQUIRE(again.runs.size() == sweep->runs.size());
    for (std::size_t i = 0; i < again.runs.size(); ++i) {
      CHECK(write_run_spec(again.runs[i]) == write_run_spec(sweep->runs[i]));
    }
    CHECK(again.resolved == sweep->resolved);
  }
}

TEST_CASE("compatibility profiles on an axis, and the resolved sweep makes the same runs") {
  const Sweep sweep = read(small_sweep(json(R"({"strategy": {"router": "top_k"},
                                                "grid": {"strategy.compat": ["none", "vmoe", "tutel"]}})")));
  CHECK(names_of(sweep) ==
        Lines{"top_k e4 s1", "top_k (capacity_rule vmoe) e4 s1",
              "top_k (normalise before, balance megablocks, balance_counts first, capacity_rule tutel) e4 s1"});
  CHECK(names_of(read(sweep.resolved)) == names_of(sweep));

  const Sweep base = read(small_sweep(json(R"({"strategy": {"router": "top_k", "compat": "vmoe"}})")));
  CHECK(base.resolved["strategy"]["capacity_rule"] == "vmoe");
  CHECK(base.resolved["strategy"]["compat"] == "none");
  CHECK(names_of(read(base.resolved)) == names_of(base));
}

TEST_CASE("every error of a file is found at once, each with its place") {
  const Lines errors = errors_of_text(R"({
      "name": "a/b", "gird": {}, "data": {"source": "synthetic", "directions": ["aa-ab"], "vocabulary": "many"},
      "strategy": {"router": "swich", "experts": 0, "experts": 0, "capacity": 3},
      "model": {"heads": 3},
      "training": {"seeed": 1},
      "grid": {"training.updates": [10, -1], "training.sed": [1], "evaluation.beam": 3},
      "include": [{"strategy": {"router": "thor", "objective": {"passes": 1}}}],
      "exclude": [{"strategy.router": "hsh"}],
      "claims": [{"id": "a", "metric": "blue", "better": {"strategy.router": "thor"}, "worse": {}}]})");
  CHECK(each_names(errors, {{"strategy.experts: ", "twice"},
                            {"gird: ", "\"grid\""},
                            {"name: found \"a/b\""},
                            {"grid.training.sed: ", "\"seed\""},
                            {"grid.evaluation.beam: found 3", "list"},
                            {"exclude[0].strategy.router: " + not_allowed_sentence("hsh", router_names())},
                            {"data.vocabulary: found \"many\""},
                            {"model.heads: ", "3 heads", "128"},
                            {"strategy.router: " + not_allowed_sentence("swich", router_names())},
                            {"strategy.experts: found 0", "at least 1"},
                            {"training.seeed: ", "\"seed\""},
                            {"grid.training.updates[1]: found -1", "0 to 1000000000"},
                            {"strategy.objective.consistency: ", "`passes`"},
                            {"claims[0].metric: found \"blue\"", "bleu, chrf, loss"},
                            {"claims[0].worse: found {}"}}));
}

TEST_CASE("a wrong value in the base is found though every run overrides it") {
  const Lines errors =
      errors_of(small_sweep(json(R"({"strategy": {"experts": 0, "router": "swich"}, "training": {"seed": -1},
                                     "grid": {"strategy.experts": [2, 4], "strategy.router": ["switch", "gshard"],
                                              "training.seed": [1, 2]}})")));
  CHECK(each_names(errors, {{"strategy.router: found \"swich\""},
                            {"strategy.experts: found 0", "at least 1"},
                            {"training.seed: found -1", "at least 0"}}));
}

TEST_CASE("a value that several routers refuse is one error") {
  const Lines errors = errors_of(
      small_sweep(json(R"({"strategy": {"experts": 0}, "grid": {"strategy.router": ["switch", "gshard"]}})")));
  CHECK(each_names(errors, {{"strategy.experts: found 0"}}));
}

TEST_CASE("parts of the wrong shape") {
  CHECK(each_names(
      errors_of(small_sweep(json(R"({"grid": 1, "include": {}, "exclude": "x", "claims": 2, "training": []})"))),
      {{"grid: found 1", "object"},
       {"include: found {}", "list"},
       {"exclude: found \"x\"", "list"},
       {"training: found []", "object"},
       {"claims: found 2", "list"}}));
  CHECK(each_names(errors_of_text("[]"), {{"found []", "object"}}));
  CHECK(each_names(errors_of_text("{\"a\": }"), {{"1:7: ", "JSON", "'}'"}}));
  CHECK(each_names(errors_of(small_sweep(json(R"({"exclude": [{"strategy.router": "switch"}]})"))),
                   {{"exclude: every run is excluded"}}));
  CHECK(errors_of(small_sweep(json(R"({"$schema": "../schemas/sweep.schema.json"})"))).empty());
}

TEST_CASE("claims are read strictly") {
  const std::string good = R"({"id": "a", "metric": "bleu", "better": {"strategy": {"router": ["thor", "hash"]}},
                               "worse": {"strategy.router": "switch", "strategy.experts": [2, 4]}, "margin": 0.5})";
  CHECK(read(small_sweep(json("{\"claims\": [" + good + "]}"))).claims.size() == 1);
  CHECK(each_names(errors_of(small_sweep(json("{\"claims\": [" + good + "," + good + "]}"))),
                   {{"claims[1].id: ", "\"a\""}}));
  CHECK(each_names(errors_of(small_sweep(json(R"({"claims": [{"id": "b", "metric": "loss", "margn": 1,
                                                 "better": {"strategy.rooter": "thor"}, "worse": 3}, {}, 4]})"))),
                   {{"claims[0].margn: ", "\"margin\""},
                    {"claims[0].better.strategy.rooter: ", "\"router\""},
                    {"claims[0].worse: found 3"},
                    {"claims[1].id: missing"},
                    {"claims[1].metric: missing"},
                    {"claims[1].a: missing", "better needs a, b"},
                    {"claims[1].b: missing"},
                    {"claims[2]: found 4"}}));
}

TEST_CASE("each kind of claim has the keys that it needs and no others") {
  const auto errors = [](const std::string& keys) {
    return errors_of(small_sweep(
        json(R"({"claims": [{"id": "x", "metric": "bleu", "a": {"strategy.router": "thor"}, )" + keys + "}]}")));
  };
  const std::string b = R"("b": {"strategy.router": "switch"})";
  CHECK(errors(b).empty());
  CHECK(errors(b + R"(, "kind": "equal", "delta": 0.3)").empty());
  CHECK(errors(R"("kind": "grows_with", "key": "strategy.experts")").empty());
  CHECK(errors(b + R"(, "kind": "ratio_of_parameters", "ratio": 4)").empty());
  CHECK(errors(b + R"(, "kind": "interaction", "under": {"data.train_share": 0.5}, "against": {"data.train_share": 1})")
            .empty());
  CHECK(each_names(errors(b + R"(, "kind": "equal", "margin": 1)"), {{"claims[0].margin: ", "equal has no such key"}}));
  CHECK(each_names(errors(R"("kind": "grows_with", "key": "strategy.expert")"), {{"claims[0].key: ", "\"experts\""}}));
  CHECK(each_names(errors(b + R"(, "kind": "interaction", "under": {"data.train_shar": 0.5})"),
                   {{"claims[0].against: missing"}, {"claims[0].under.data.train_shar: ", "\"train_share\""}}));
  CHECK(each_names(errors(b + R"(, "requires": "y")"), {{"claims[0].requires: ", "no claim"}}));
  CHECK(each_names(errors(b + R"(, "requires": "x")"), {{"claims[0].requires: ", "its own positive control"}}));
  CHECK(each_names(errors(b + R"(, "better": {"strategy.router": "hash"})"), {{"claims[0].better: ", "\"a\""}}));
}

TEST_CASE("check_data looks at each different data section once") {
  const TemporaryFolder folder;
  const Sweep sweep = read(json(R"({"data": {"root": ")" + (folder.path() / "none").string() +
                                R"("}, "grid": {"training.seed": [1, 2, 3], "data.vocabulary": [100, 200]}})"));
  ConfigErrors errors;
  check_data(sweep, errors);
  REQUIRE(errors.sentences().size() == 1);
  CHECK(errors.sentences().front().starts_with("data.root: no folder \"" + (folder.path() / "none").string() + "\""));
  ConfigErrors none;
  check_data(read(small_sweep()), none);
  CHECK(none.empty());
}

TEST_CASE("every mistake of a grid of ten thousand runs is told once") {
  Json seeds = Json::array();
  for (int i = 0; i < 5000; ++i) seeds.push_back(-i);
  CHECK(errors_of(small_sweep({{"grid", {{"training.seed", seeds}, {"strategy.experts", {2, 4}}}}})).size() == 4999);
}

}  // namespace
}  // namespace moe
