#include "harness/results/record.h"

#include "core/error.h"
#include "core/files.h"
#include "harness/results/result_file.h"
#include "tests/harness/results_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/json_schema.h"

#include <cmath>

namespace moe {
namespace {

const std::filesystem::path source = MOE_BENCH_SOURCE_DIR;

/// A finished run with everything that a result can hold.
RunRecord full_record() {
  RunRecord record;
  record.run_id = "thor-e2-de-en-s1-0123abcd";
  record.status = "finished";
  record.strategy = {"thor", "thor", 2};
  record.seed = 9223372036854775807;
  record.config = example_config({});
  record.data_digest = "0123456789abcdef";
  record.files = {{"strategy.table", "0123456789abcdef"}};
  record.parameters = {35, 21};
  record.flops = {1.2e15, std::nullopt};
  record.training = TrainingRecord{60, 2.5, 12000, "updates", false, std::nullopt, ScoredModelRecord{6, 2.5, 10, 0.01}};
  CurvePoint point;
  point.flops = 0;
  point.valid_loss = NAN;
  point.valid_loss_draws = {2.9, std::nullopt};
  point.valid_by_direction = {{"de-en", 2.9, 23.1}};
  record.curve = {point};
  TestScore score;
  score.set = "test";
  score.direction = "de-en";
  score.sentences = 10;
  score.loss = 2;
  score.bleu = {100.00000000000004, 0.1, {30, 31}, "nrefs:1"};
  score.chrf = {50, 0, {50}, "nrefs:1"};
  score.hypotheses = {"hypotheses/de-en.test.txt"};
  score.cut_share = 0;
  score.last_model = static_cast<const ModelScores&>(score);
  score.word_accuracy = 0.5;
  record.scores = {score};
  LayerRouting layer;
  layer.stack = "decoder";
  layer.extra = true;
  layer.figures.experts = 2;
  layer.figures.load = {0.25, 0.75};
  layer.figures.co_activation = {{0, 0.5}, {0.5, 0}};
  layer.load_by_direction = {{"de-en", {0.25, 0.75}}};
  record.routing = {layer};
  record.measurements.started = "2026-01-02T03:04:05Z";
  record.measurements.seconds = SecondsRecord{3, 1, 1, 1};
  record.measurements.curve_seconds = {1};
  record.measurements.peak_memory_bytes = 900000000;
  record.measurements.peak_device_memory_bytes = 2000000000;
  record.measurements.profile = {{"forward", 0.5}};
  return record;
}

std::vector<std::filesystem::path> committed_results() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source / "results")) {
    if (entry.path().filename() == "result.json") files.push_back(entry.path());
  }
  return files;
}

/// Throws unless `now` has all that `before` had, in the same order, and beyond that nothing but null and empty lists
/// and what a configuration from before `training.batch_side` meant.
void check_same(const Json& before, const Json& now, const std::string& path) {
  INFO(path);
  if (before.is_object()) {
    std::vector<std::string> old_keys, kept_keys;
    for (const auto& [key, value] : before.items()) old_keys.push_back(key);
    for (const auto& [key, value] : now.items()) {
      if (before.contains(key)) {
        kept_keys.push_back(key);
        check_same(before[key], value, join_path(path, key));
      } else {
        const bool is_later_measurement = (key == "routing_swaps" || key == "inference_modes") && value == false;
        CHECK((value.is_null() || value.empty() || (key == "batch_side" && value == "longer") || is_later_measurement));
      }
    }
    CHECK(kept_keys == old_keys);
  } else if (before.is_array()) {
    REQUIRE(now.size() == before.size());
    for (std::size_t i = 0; i < before.size(); ++i) check_same(before[i], now[i], path + "[" + std::to_string(i) + "]");
  } else {
    CHECK(now.dump() == before.dump());
  }
}

}  // namespace

TEST_CASE("a record comes back from its file, and is written with the same bytes again") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "result.json";
  const test::SchemaChecker schema(result_schema());
  RunRecord failed;
  failed.run_id = "thor-e2-de-en-s1-0123abcd";
  failed.failure = "It failed.";
  failed.strategy = {"thor", "thor", 2};
  failed.config = example_config({});
  failed.data_digest = "0123456789abcdef";
  RunRecord imported = failed;
  imported.status = "imported";
  imported.failure.reset();
  imported.data_digest.clear();
  imported.imported_from = {"a hub of models", "0123456789abcdef"};
  imported.scores = full_record().scores;
  for (const RunRecord& record : {full_record(), failed, imported}) {
    CAPTURE(record.status);
    write_result(file, record);
    const std::string bytes = read_file(file);
    const Json document = read_result(file);
    CHECK(schema.violations(document) == std::vector<std::string>{});
    const RunRecord again = read_run_record(document, file.string());
    CHECK(format_json(write_record(again)) == bytes);
    write_result(file, again);
    CHECK(read_file(file) == bytes);
  }
}

TEST_CASE("a result from before batch_side is of batches with a limit on the longer side") {
  RunRecord record = full_record();
  record.config["training"].erase("batch_side");
  const RunRecord again = read_run_record(write_record(record), "result.json");
  CHECK(again.config["training"]["batch_side"] == "longer");
}

TEST_CASE("a failed run has no key of a part that it did not reach") {
  RunRecord failed;
  failed.failure = "It failed.";
  std::vector<std::string> keys;
  const Json written = write_record(failed);
  for (const auto& [key, value] : written.items()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"schema_version", "run_id", "status", "failure", "strategy", "seed", "config",
                                         "semantics_version", "measurements"});
  CHECK(written["measurements"].size() == 3);
}

TEST_CASE("results of earlier versions keep their meaning, and what they hold is in the record") {
  const test::SchemaChecker schema(result_schema());
  const std::vector<std::filesystem::path> files = committed_results();
  REQUIRE(!files.empty());
  for (const std::filesystem::path& file : files) {
    const Json before = read_result(file);
    CHECK(schema.violations(before) == std::vector<std::string>{});
    check_same(before, write_record(read_run_record(before, file.string())), file.string());
  }
}

TEST_CASE("schemas/result.schema.json is what the program makes") {
  INFO("renew the file with: moe-bench validate --result-schema > schemas/result.schema.json");
  CHECK(read_file(source / "schemas" / "result.schema.json") == format_json(result_schema()));
}

TEST_CASE("keys that nobody knows are passed over, and null is none") {
  Json result = write_record(full_record());
  result["news"] = 1;
  result["scores"][0]["ter"] = 40;
  result["scores"][0]["loss"] = nullptr;
  result["scores"][0].erase("perplexity");
  const RunRecord record = read_run_record(result, "result.json");
  CHECK_FALSE(record.scores[0].loss.has_value());
  CHECK_FALSE(record.scores[0].perplexity.has_value());
  CHECK(record.seed == 9223372036854775807);
}

TEST_CASE("what is missing or of another type is named with its place") {
  const Json result = write_record(full_record());
  const auto error_with = [&](const std::string& pointer, const Json& value) -> std::string {
    Json changed = result;
    changed[Json::json_pointer(pointer)] = value;
    try {
      read_run_record(changed, "r.json");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(error_with("/seed", 1.5) == "r.json: seed: an integer was expected, not 1.5.");
  CHECK(error_with("/measurements/curve_seconds/0", "x") ==
        "r.json: measurements.curve_seconds[0]: a number was expected, not \"x\".");
  CHECK(error_with("/routing/0/load", Json::object()) == "r.json: routing[0].load: a list was expected, not object.");
  CHECK(error_with("/routing/0/stack", "middle") ==
        "r.json: routing[0].stack is \"middle\"; encoder and decoder are known.");
  CHECK(error_with("/files/strategy.table", 7) == "r.json: files.strategy.table: a string was expected, not 7.");
  CHECK(error_with("/parameters", nullptr) == "r.json: parameters: an object was expected, not null.");
  CHECK(error_with("/status", "failed") == "r.json: failure: a string was expected, not null.");
  CHECK(error_with("/status", "imported") == "r.json: the key \"imported_from\" is missing.");
  CHECK(error_with("/schema_version", 2) == "r.json: schema_version is 2; this program reads version 1.");
}

}  // namespace moe
