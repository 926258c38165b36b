#include "harness/sweep/run_spec.h"

#include "harness/sweep/config_paths.h"
#include "routers/registry.h"
#include "tests/support/catch.h"
#include "tests/support/errors.h"

#include <set>

namespace moe {
namespace {

const std::string digest = "0123456789abcdef";

/// The spec of a configuration that must be right. Data is made up unless the text says otherwise.
RunSpec spec_of(const std::string& text, const std::vector<std::string>& sweep_routers = {}) {
  Json json = parse_json(text, "test");
  if (!json.contains("data")) {
    json["data"] = {{"source", "synthetic"}, {"directions", {"aa-ab"}}, {"world", "grammar"}};
    if (json.value("/strategy/router"_json_pointer, "") == "oracle") json["data"]["world"] = "senses";
  }
  ConfigErrors errors;
  RunSpec spec = read_run_spec(json, sweep_routers, errors);
  CHECK(errors.sentences() == std::vector<std::string>{});
  return spec;
}

std::vector<std::string> errors_of(const std::string& text, const std::vector<std::string>& sweep_routers = {}) {
  Json json = parse_json(text, "test");
  if (json.is_object() && !json.contains("data")) json["data"] = {{"source", "synthetic"}, {"directions", {"aa-ab"}}};
  ConfigErrors errors;
  read_run_spec(json, sweep_routers, errors);
  return errors.sentences();
}

std::string label_of(const std::string& strategy) {
  return spec_of("{\"strategy\": " + strategy + "}").strategy.label();
}

using Lines = std::vector<std::string>;

TEST_CASE("the objective is the router's own unless given") {
  CHECK(spec_of("{}").strategy.objective.passes == 1);
  CHECK(spec_of("{}").strategy.objective.label_smoothing == 0.1);
  const ObjectiveSettings thor = spec_of(R"({"strategy": {"router": "thor"}})").strategy.objective;
  CHECK(thor.passes == 2);
  CHECK(thor.consistency == 5.0);
  CHECK(spec_of(R"({"strategy": {"router": "switch"}})").strategy.objective.balance_loss == 0.01);
  const ObjectiveSettings own =
      spec_of(R"({"strategy": {"router": "thor", "objective": {"consistency": 0}}})").strategy.objective;
  CHECK(own.passes == 2);
  CHECK(own.consistency == 0);
}

TEST_CASE("a preset sets the sizes that the other keys do not") {
  const ModelSettings model = spec_of(R"({"model": {"ffn": 300, "preset": "base", "heads": 4}})").model;
  CHECK(model.width == 512);
  CHECK(model.encoder_layers == 6);
  CHECK(model.ffn == 300);
  CHECK(model.heads == 4);
}

TEST_CASE("a key that only another router of the sweep knows is dropped") {
  const RunSpec spec =
      spec_of(R"({"strategy": {"router": "dense", "experts": 8, "capacity_factor": 2}})", {"dense", "switch"});
  CHECK(spec.strategy.options == Json::object());
  CHECK(spec.strategy.experts() == 1);
  CHECK(each_names(errors_of(R"({"strategy": {"router": "dense", "experts": 8}})"),
                   {{"strategy.experts: unknown key", "router, objective"}}));
  CHECK(each_names(errors_of(R"({"strategy": {"router": "dense", "expert": 8}})", {"thor"}),
                   {{"strategy.expert: unknown key", "\"experts\""}}));
}

TEST_CASE("errors of all sections are found at once") {
  CHECK(each_names(errors_of(R"({"strategy": {"router": "swich", "experts": 0, "objective": {"consistency": 1}},
                                 "model": {"heads": 3}, "training": {"updates": "many"}, "evalation": {}})"),
                   {{"evalation: ", "\"evaluation\""},
                    {"model.heads: ", "3 heads", "128"},
                    {"strategy.router: " + not_allowed_sentence("swich", router_names())},
                    {"strategy.experts: found 0", "at least 1"},
                    {"strategy.objective.consistency: ", "`passes`"},
                    {"training.updates: found \"many\"", "whole number"}}));
  CHECK(not_allowed_sentence("swich", {"dense", "switch"}) ==
        "found \"swich\", allowed is one of dense, switch (did you mean \"switch\"?).");
  CHECK(each_names(errors_of("[]"), {{"found []", "object"}}));
  CHECK(each_names(errors_of(R"({"strategy": 1})"), {{"strategy: found 1", "object"}}));
  CHECK(each_names(errors_of(R"({"strategy": {"router": 1}})"), {{"strategy.router: found 1", "string"}}));
  CHECK(each_names(errors_of(R"({"strategy": {"router": "oracle"}})"),
                   {{"strategy.router: ", "\"oracle\"", "data.world"}}));
}

TEST_CASE("one balance loss over several layers is for routers whose loss is E sum(f P)") {
  const auto errors = [](const std::string& router) {
    return errors_of(R"({"strategy": {"router": )" + router + R"(, "objective": {"balance_layers": "concatenated"}}})");
  };
  CHECK(errors(R"("switch")").empty());
  CHECK(errors(R"("hash")").empty());
  const std::string path = "strategy.objective.balance_layers: ";
  CHECK(each_names(errors(R"("stable")"), {{path, "\"concatenated\"", "stable"}}));
  CHECK(each_names(errors(R"("gshard", "second_place_loss": 0.5)"), {{path, "\"concatenated\"", "second_place_loss"}}));
}

TEST_CASE("a distinct pair of experts needs a pair of passes") {
  const auto errors = [](const std::string& objective) {
    return errors_of(R"({"strategy": {"router": "thor", "distinct_pair": true, "objective": )" + objective + "}}");
  };
  CHECK(errors(R"({"passes": 2})").empty());
  CHECK(each_names(errors(R"({"passes": 1, "consistency": 0})"), {{"strategy.distinct_pair: ", "two passes"}}));
}

TEST_CASE("writing a spec and reading it back changes nothing, for every router") {
  for (const std::string& router : router_names()) {
    const RunSpec spec =
        spec_of("{\"strategy\": {\"router\": \"" + router + "\"}, \"model\": {\"preset\": \"small\"}}");
    const Json written = write_run_spec(spec);
    CHECK(written["strategy"]["router"] == router);
    CHECK(write_run_spec(spec_of(written.dump())) == written);
  }
}

TEST_CASE("a label names what differs from the router's defaults, but not the experts") {
  CHECK(label_of(R"({"router": "dense"})") == "dense");
  CHECK(label_of(R"({"router": "switch", "experts": 64})") == "switch");
  CHECK(label_of(R"({"router": "switch", "capacity_factor": 1.25})") == "switch (capacity_factor 1.25)");
  CHECK(label_of(R"({"router": "switch-paper"})") == "switch-paper");
  CHECK(label_of(R"({"router": "switch-paper", "capacity_factor": null})") == "switch-paper (capacity_factor none)");
  CHECK(label_of(R"({"router": "dense", "objective": {"passes": 2, "consistency": 5.0}})") ==
        "dense (2 passes, consistency 5)");
  CHECK(label_of(R"({"router": "thor", "objective": {"consistency": 0}})") == "thor (consistency 0)");
  CHECK(label_of(R"({"router": "thor", "objective": {"passes": 1, "consistency": 0}})") ==
        "thor (1 pass, consistency 0)");
  CHECK(label_of(R"({"router": "thor", "inference": "mean", "distinct_pair": true})") ==
        "thor (distinct_pair on, inference mean)");
  CHECK(label_of(R"({"router": "switch", "objective": {"balance_loss": 1e-3}})") == "switch (balance_loss 0.001)");
}

TEST_CASE("a run id is readable, and hashes what differs from the defaults") {
  // The hashes are FNV-1a, in Python, of {"config":{...},"data":"0123456789abcdef","semantics":3} with these keys in
  // alphabetical order. They are results already on disk: a change here loses them.
  RunSpec dense;
  dense.data.directions = {"de-en"};
  CHECK(run_id(dense, digest) ==
        "dense-de-en-s1-064ca675");  // {"strategy":{"router":"dense"},"training":{"batch_side":"target"}}

  const RunSpec thor =
      spec_of(R"({"data": {"root": "x"}, "strategy": {"router": "thor", "objective": {"consistency": 0}},
                                   "training": {"seed": 2}})");
  // {"strategy":{"objective":{"consistency":0.0},"router":"thor"},"training":{"batch_side":"target","seed":2}}
  CHECK(run_id(thor, digest) == "thor-consistency-0-e4-de-en-s2-0ef9a8ff");

  const RunSpec wide = spec_of(R"({"data": {"root": "y", "directions": ["fr-en"]}, "model": {"width": 256},
                                   "strategy": {"router": "switch", "experts": 8}})");
  // {"data":{"directions":["fr-en"]},"model":{"width":256},"strategy":{"experts":8,"router":"switch"},"training":{"batch_side":"target"}}
  CHECK(run_id(wide, digest) == "switch-e8-fr-en-s1-4fe45e25");
}

TEST_CASE("runs from before batch_side, which limited the longer side, keep their ids") {
  RunSpec before;
  before.data.directions = {"de-en"};
  before.training.batch_side = "longer";
  CHECK(run_id(before, digest) == "dense-de-en-s1-afd0e05a");  // {"strategy":{"router":"dense"}}
}

TEST_CASE("what says the same has the same id, what does not has another") {
  const auto id = [](const std::string& text, const std::string& data = digest) { return run_id(spec_of(text), data); };
  const std::string plain = id(R"({"data": {"root": "here"}})");
  CHECK(id(R"({"data": {"root": "/elsewhere"}})") == plain);
  CHECK(
      id(R"({"data": {"root": "here"}, "model": {"preset": "tiny", "dropout": 0.1}, "training": {"updates": 4000}})") ==
      plain);
  CHECK(id(R"({"data": {"root": "here"}})", "fedcba9876543210") != plain);
  CHECK(id(R"({"model": {"preset": "small"}})") ==
        id(R"({"model": {"width": 256, "ffn": 1024}})"));  // a preset is its sizes
  CHECK(id(R"({"strategy": {"router": "thor", "experts": 4, "objective": {"passes": 2, "consistency": 5}}})") ==
        id(R"({"strategy": {"router": "thor"}})"));
  CHECK(id(R"({"strategy": {"router": "switch", "capacity_factor": 1.25, "jitter": 0.01}})") !=
        id(R"({"strategy": {"router": "switch-paper"}})"));
}

TEST_CASE("a compatibility profile has the id and the label of its options") {
  const auto name = [](const std::string& strategy) {
    const RunSpec spec = spec_of("{\"strategy\": " + strategy + "}");
    return run_id(spec, digest) + " " + spec.strategy.label();
  };
  CHECK(name(R"({"router": "gshard", "compat": "deepspeed"})") ==
        name(R"({"router": "gshard", "second": "sampling", "second_at_evaluation": "trained", "balance": "deepspeed",
                 "capacity_rule": "deepspeed"})"));
  CHECK(name(R"({"router": "switch", "compat": "tutel", "balance_counts": "all"})") ==
        name(R"({"router": "switch", "balance": "megablocks", "capacity_rule": "tutel"})"));
  CHECK(name(R"({"router": "top_k", "compat": "vmoe", "k": 1})") ==
        name(R"({"router": "top_k", "capacity_rule": "vmoe", "k": 1})"));
  CHECK(name(R"({"router": "gshard", "compat": "none"})") == name(R"({"router": "gshard"})"));
  CHECK(name(R"({"router": "gshard", "compat": "mesh"})") != name(R"({"router": "gshard"})"));
}

TEST_CASE("only keys that differ from those of the first runs count, so a new key with a default renames nothing") {
  const Json training = {{"batch_side", "target"}};
  CHECK(differing_keys(RunSpec{}) == Json{{"strategy", {{"router", "dense"}}}, {"training", training}});
  for (const std::string& router : router_names()) {
    RunSpec spec = spec_of("{\"strategy\": {\"router\": \"" + router + "\"}}");
    spec.data = DataSettings{};
    CHECK(differing_keys(spec) == Json{{"strategy", {{"router", router}}}, {"training", training}});
  }
}

TEST_CASE("ids fit a file system, however long their parts") {
  const RunSpec spec =
      spec_of(R"({"data": {"source": "synthetic", "directions": ["aa-ab", "ab-aa", "aa-ac", "ac-aa", "ab-ac"]},
      "strategy": {"router": "gshard", "second": "sampling", "normalise": "before", "jitter": 0.01, "capacity": 14,
                   "group": "sentence", "objective": {"z_loss": 1e-3, "label_smoothing": 0}}})");
  const std::string id = run_id(spec, digest);
  CHECK(id.size() <= 100);
  CHECK(id.find("-e4-5-directions-s1-") != std::string::npos);
  CHECK(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") == std::string::npos);
  RunSpec two = spec_of("{}");
  two.data.directions = {"de-en", "fr-en"};
  CHECK(run_id(two, digest).starts_with("dense-de-en-fr-en-s1-"));
}

}  // namespace
}  // namespace moe
