#pragma once
// Small results for the tests of the report.

#include "core/files.h"
#include "core/json.h"
#include "core/temporary_folder.h"
#include "tests/support/catch.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// The matcher of a part of a text, by its name in either generation of Catch2.
inline auto has_text(const std::string& part) {
#if CATCH_VERSION_MAJOR >= 3
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

/// A folder of results that goes with the object.
class ResultFolder {
 public:
  ResultFolder() { std::filesystem::create_directory(path() / "runs"); }

  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path write(const Json& result) const {
    const std::filesystem::path file = path() / "runs" / result["run_id"].get<std::string>() / "result.json";
    write_file(file, format_json(result));
    return file;
  }

 private:
  TemporaryFolder folder_;
};

/// What a test chooses about a run; the rest is the same for all.
struct RunChoice {
  std::string router = "switch";
  std::string label = "switch";
  std::int64_t experts = 4;
  std::int64_t seed = 1;
  double bleu = 30;
  bool undertrained = false;
  std::vector<std::string> directions = {"de-en"};
};

inline Json example_score(const std::string& direction, double bleu) {
  return {{"set", "test"},
          {"direction", direction},
          {"sentences", 100},
          {"loss", 2.0},
          {"perplexity", 7.389},
          {"bleu", {{"score", bleu}, {"standard_deviation", 0.0}, {"draws", {bleu}}, {"signature", "b"}}},
          {"chrf", {{"score", bleu + 20}, {"standard_deviation", 0.0}, {"draws", {bleu + 20}}, {"signature", "c"}}},
          {"hypotheses", Json::array()}};
}

inline Json example_layer(const std::vector<double>& load) {
  return {{"layer", 0},
          {"stack", "encoder"},
          {"block", 1},
          {"experts", load.size()},
          {"tokens", 100},
          {"load", load},
          {"coefficient_of_variation", 0.5},
          {"maximum_over_mean", 2.0},
          {"entropy", 1.0},
          {"dead_experts", 0},
          {"dropped", 0.0},
          {"fully_dropped", 0.0},
          {"skipped", 0.0},
          {"confidence", nullptr},
          {"load_by_direction", Json::array()},
          {"co_activation", nullptr},
          {"flip_rate", nullptr},
          {"saturation", Json::array()}};
}

inline Json example_config(const RunChoice& choice) {
  Json strategy = {{"router", choice.router}};
  if (choice.experts > 1) strategy["experts"] = choice.experts;
  return {{"data", {{"root", "/somewhere"}, {"directions", choice.directions}}},
          {"model", {{"preset", "tiny"}, {"width", 128}}},
          {"strategy", strategy},
          {"training", {{"batch_side", "target"}, {"updates", 200}, {"seed", choice.seed}}},
          {"evaluation", {{"every", 100}, {"routing_swaps", false}, {"inference_modes", false}}}};
}

/// A finished run: two validations, a score per direction, and one MoE layer in which expert 0 has half of all tokens.
inline Json example_result(const RunChoice& choice) {
  std::string id = choice.label + "-e" + std::to_string(choice.experts) + "-s" + std::to_string(choice.seed);
  for (const std::string& direction : choice.directions) id += "-" + direction;
  Json scores = Json::array();
  for (const std::string& direction : choice.directions) scores.push_back(example_score(direction, choice.bleu));
  std::vector<double> load(static_cast<std::size_t>(choice.experts), 0.5 / static_cast<double>(choice.experts - 1));
  load[0] = choice.experts > 1 ? 0.5 : 1.0;
  return {{"schema_version", 1},
          {"run_id", id},
          {"status", "finished"},
          {"failure", nullptr},
          {"strategy", {{"router", choice.router}, {"label", choice.label}, {"experts", choice.experts}}},
          {"seed", choice.seed},
          {"config", example_config(choice)},
          {"semantics_version", 1},
          {"data_digest", "0123456789abcdef"},
          {"parameters", {{"total", 1000000 * choice.experts}, {"active", 1000000}}},
          {"flops", {{"training", 1.2e15}, {"per_target_token", 9e7}}},
          {"training",
           {{"updates", 200},
            {"epochs", 2.5},
            {"target_tokens", 9000},
            {"stopped_by", "updates"},
            {"undertrained", choice.undertrained},
            {"last_fifth_improvement", 0.002}}},
          {"curve",
           {{{"update", 100}, {"valid_loss", 3.5}, {"valid_perplexity", 33.1}, {"valid_bleu", 10.0}},
            {{"update", 200}, {"valid_loss", 2.5}, {"valid_perplexity", 12.2}, {"valid_bleu", 20.0}}}},
          {"scores", scores},
          {"routing", Json::array({example_layer(load)})},
          {"measurements",
           {{"started", "2026-01-02T03:04:05Z"},
            {"host", {{"cpu", "Example CPU"}, {"cores", 2}, {"threads", 1}, {"device", "cpu"}, {"jobs", 1}}},
            {"software", {{"moe_bench", "0.1.0"}, {"revision", "abc"}, {"libtorch", "2.15.0"}, {"compiler", "GCC 12"}}},
            {"seconds", {{"total", 60.0}}},
            {"target_tokens_per_second", 5000.0}}}};
}

/// A run that failed before its first validation.
inline Json failed_result(const RunChoice& choice, const std::string& failure) {
  Json result = example_result(choice);
  result["status"] = "failed";
  result["failure"] = failure;
  for (const char* key : {"flops", "training", "curve", "scores", "routing"}) result.erase(key);
  for (const char* key : {"seconds", "target_tokens_per_second"}) result["measurements"].erase(key);
  return result;
}

/// Translations of another program.
inline Json imported_result(const std::string& label, std::int64_t seed, double bleu) {
  Json result = example_result({.router = "imported", .label = label, .experts = 1, .seed = seed, .bleu = bleu});
  result["status"] = "imported";
  for (auto& [section, keys] : result["config"].items()) keys = Json::object();
  result["imported_from"] = {{"reference", "0123456789abcdef"}};
  for (const char* key : {"data_digest", "flops", "training", "curve", "routing"}) result.erase(key);
  for (const char* key : {"seconds", "target_tokens_per_second"}) result["measurements"].erase(key);
  result["measurements"]["host"] = Json::object();
  return result;
}

}  // namespace moe
