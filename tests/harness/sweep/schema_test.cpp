// The published JSON Schemas against what the program reads and writes.

#include "core/files.h"
#include "harness/sweep/config_paths.h"
#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/json_schema.h"

namespace moe {

struct RouterEntry;
#include "routers/extra_routers.inc"
#define COUNT_ROUTER(name) +1  // NOLINT(bugprone-macro-parentheses): terms of a sum

namespace {

constexpr int extra_routers = 0 MOE_EXTRA_ROUTERS(COUNT_ROUTER);

using test::json;
using test::SchemaChecker;
using test::small_sweep;

const std::filesystem::path schemas = std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "schemas";

TEST_CASE("schemas/sweep.schema.json is what the program makes") {
  if (extra_routers > 0) {
    WARN("skipped: this build has routers from outside, which the file doesn't know");
    return;
  }
  INFO("renew the file with: moe-bench validate --schema > schemas/sweep.schema.json");
  CHECK(read_file(schemas / "sweep.schema.json") == format_json(sweep_schema()));
}

TEST_CASE("schema and reader accept the same sweeps") {
  const std::vector<std::string> parts = {
      "{}",
      R"({"name": "a.b-c_1", "$schema": "x", "training": {"updates": 4e3, "flops": null, "seed": 0}})",
      R"({"grid": {"strategy.router": ["dense", {"router": "thor", "objective": {"consistency": 0}}], "training.seed": [1],
                   "data.directions": [["aa-ab"]], "model.moe_layers": [[1, 3], {"encoder": [1]}, null],
                   "strategy": [{"router": "hash", "experts": 2}]}})",
      R"({"include": [{"strategy": {"router": "dense", "objective": {"passes": 2}}}, {"strategy.router": "thor"}]})",
      R"({"grid": {"training.seed": [1, 2]},
          "exclude": [{"training.seed": [2]}, {"training": {"seed": [2, 3]}}, {"data.directions": ["ab-aa"]}]})",
      R"({"claims": [{"id": "a", "metric": "loss", "better": {"strategy.router": ["thor"]}, "worse": {"training.seed": 1}}]})",
  };
  const SchemaChecker schema(sweep_schema());
  for (const std::string& part : parts) {
    const Json sweep = small_sweep(json(part));
    INFO(part);
    CHECK(schema.violations(sweep) == std::vector<std::string>{});
    CHECK(test::errors_of(sweep) == std::vector<std::string>{});
    CHECK(schema.violations(test::read(sweep).resolved) == std::vector<std::string>{});
  }
}

TEST_CASE("schema and reader refuse the same sweeps") {
  const std::vector<std::string> parts = {
      R"({"name": ".hidden"})",
      R"({"gird": {}})",
      R"({"training": {"updates": 1.5}})",
      R"({"training": {"updates": -1}})",
      R"({"training": {"learning_rate": 0}})",
      R"({"training": {"precision": "fp16"}})",
      R"({"training": []})",
      R"({"strategy": {"router": "swich"}})",
      R"({"strategy": {"router": "switch", "experts": 0}})",
      R"({"strategy": {"router": "switch", "objective": {"passes": 3}}})",
      R"({"grid": {"training.sed": [1]}})",
      R"({"grid": {"training.seed": []}})",
      R"({"grid": {"training.seed": 1}})",
      R"({"grid": {"training.seed": ["1"]}})",
      R"({"include": [{}]})",
      R"({"include": [{"training.sed": 1}]})",
      R"({"exclude": [{"training.seed": "1"}]})",
      R"({"claims": [{"id": "a", "metric": "bleu", "better": {"strategy.router": "thor"}}]})",
      R"({"claims": [{"id": "a", "metric": "ter", "better": {"strategy.router": "thor"}, "worse": {"training.seed": 1}}]})",
      R"({"claims": [{"id": "a", "metric": "bleu", "better": {}, "worse": {"training.seed": 1}}]})",
  };
  const SchemaChecker schema(sweep_schema());
  for (const std::string& part : parts) {
    const Json sweep = small_sweep(json(part));
    INFO(part);
    CHECK_FALSE(schema.violations(sweep).empty());
    CHECK_FALSE(test::errors_of(sweep).empty());
  }
}

TEST_CASE("every key of a configuration is in the schema, with its default") {
  const Json schema = sweep_schema();
  for (const FieldListing& key : all_config_paths().keys()) {
    std::string pointer = "/$defs/";
    for (const char c : key.path) pointer += c == '.' ? std::string("/properties/") : std::string(1, c);
    INFO(key.path);
    CHECK(schema.contains(Json::json_pointer(pointer)));
    CHECK(schema["properties"]["grid"]["properties"].contains(key.path));
  }
  CHECK(schema["$defs"]["training"]["properties"]["warmup"]["default"] == 1000);
}

/// One finished run, small but complete.
Json finished_run() {
  return json(R"({
    "schema_version": 1, "run_id": "thor-e2-de-en-s1-0123abcd", "status": "finished", "failure": null,
    "strategy": {"router": "thor", "label": "thor", "experts": 2}, "seed": 1,
    "config": {"data": {}, "model": {}, "strategy": {}, "training": {}, "evaluation": {}},
    "semantics_version": 1, "data_digest": "0123456789abcdef",
    "parameters": {"total": 35, "active": 21}, "flops": {"training": 1.2e15, "per_target_token": 9.0e7},
    "training": {"updates": 60, "epochs": 2.5, "target_tokens": 12000, "stopped_by": "updates", "undertrained": false,
                 "last_fifth_improvement": 0.002},
    "curve": [{"update": 60, "flops": 2e14, "cross_entropy": 3.2, "consistency": 0.0,
               "balance_loss": null, "learning_rate": 0.003, "valid_loss": 2.9, "valid_loss_draws": [2.9, 2.91],
               "valid_perplexity": 18.2, "valid_bleu": 23.1, "valid_bleu_draws": [23.1, 23.0],
               "valid_by_direction": [{"direction": "de-en", "loss": 2.9, "bleu": 23.1}]}],
    "scores": [{"set": "test", "direction": "de-en", "sentences": 10, "loss": 2.1, "perplexity": 8.2,
                "bleu": {"score": 36.1, "standard_deviation": 0.2, "draws": [36.1, 36.3], "signature": "nrefs:1"},
                "chrf": {"score": 58.1, "standard_deviation": 0.1, "draws": [58.1, 58.2], "signature": "nrefs:1"},
                "hypotheses": ["hypotheses/de-en.test.txt", "hypotheses/de-en.test.draw1.txt"], "cut_share": 0.05}],
    "routing": [{"layer": 0, "stack": "encoder", "block": 1, "experts": 2, "tokens": 130, "load": [0.5, 0.5],
                 "coefficient_of_variation": 0.0, "maximum_over_mean": 1.0, "entropy": 0.69, "dead_experts": 0,
                 "dropped": 0.0, "fully_dropped": 0.0, "skipped": 0.0, "confidence": null, "flip_rate": 0.1,
                 "load_by_direction": [{"direction": "de-en", "load": [0.5, 0.5]}]}],
    "measurements": {"started": "2026-01-02T03:04:05Z", "host": {"cores": 2}, "software": {"libtorch": "2.15.0"},
                     "seconds": {"total": 12.5}, "curve_seconds": [10.0], "target_tokens_per_second": 5900.0,
                     "decoded_sentences_per_second": 120.0, "peak_memory_bytes": 900000000,
                     "peak_device_memory_bytes": 2000000000}})");
}

TEST_CASE("result.schema.json takes finished and failed runs") {
  const SchemaChecker schema(read_json(schemas / "result.schema.json"));
  Json run = finished_run();
  CHECK(schema.violations(run) == std::vector<std::string>{});
  run["scores"][0].erase("cut_share");  // results of older versions have none
  CHECK(schema.violations(run) == std::vector<std::string>{});

  run["status"] = "failed";
  CHECK_FALSE(schema.violations(run).empty());  // without a reason
  run["failure"] = "The training loss is not a number.";
  for (const char* not_reached : {"scores", "routing", "curve", "flops", "parameters", "training", "data_digest"}) {
    CHECK(schema.violations(run) == std::vector<std::string>{});
    run.erase(not_reached);
  }
  CHECK(schema.violations(run) == std::vector<std::string>{});
}

TEST_CASE("result.schema.json refuses what a reader could not use") {
  const SchemaChecker schema(read_json(schemas / "result.schema.json"));
  const Json run = finished_run();
  for (const auto& [key, value] : run.items()) {
    Json without = run;
    without.erase(key);
    INFO(key);
    CHECK_FALSE(schema.violations(without).empty());
  }
  const auto with = [&](const std::string& pointer, const Json& value) {
    Json changed = run;
    changed[Json::json_pointer(pointer)] = value;
    return schema.violations(changed);
  };
  CHECK_FALSE(with("/schema_version", 2).empty());
  CHECK_FALSE(with("/run_id", "thor").empty());
  CHECK_FALSE(with("/extra", 1).empty());
  CHECK_FALSE(with("/failure", "why").empty());
  CHECK_FALSE(with("/scores/0/bleu/draws", Json::array()).empty());
  CHECK_FALSE(with("/scores/0/bleu/score", nullptr).empty());
  CHECK_FALSE(with("/scores/0/cut_share", 1.5).empty());
  CHECK_FALSE(with("/routing/0/load/0", 1.5).empty());
  CHECK_FALSE(with("/routing/0/stack", "middle").empty());
  CHECK_FALSE(with("/curve/0/valid_loss", "2.9").empty());
  CHECK(with("/curve/0/valid_loss", nullptr).empty());              // not finite
  CHECK(with("/flops/per_target_token", nullptr).empty());          // without an update
  CHECK(with("/scores/0/bleu/score", 100.00000000000004).empty());  // exp(log 100) of a perfect translation
  CHECK_FALSE(with("/scores/0/bleu/score", 100.1).empty());
}

}  // namespace
}  // namespace moe
