#include "harness/results/result_reader.h"

#include "core/error.h"
#include "data/digest.h"
#include "harness/results/result_file.h"

namespace moe {
namespace {

/// A value of the document with its place in it.
class Node {
 public:
  Node(const Json& json, std::string file, std::string path = "")
      : json_(&json), file_(std::move(file)), path_(std::move(path)) {}

  bool has(const std::string& key) const {
    return json_->is_object() && json_->contains(key) && !json_->at(key).is_null();
  }

  Node at(const std::string& key) const {
    expect(json_->is_object(), "an object");
    MOE_CHECK(json_->contains(key), "{}: the key \"{}\" is missing.", place(), key);
    return {json_->at(key), file_, path_.empty() ? key : path_ + "." + key};
  }

  std::vector<Node> items() const {
    expect(json_->is_array(), "a list");
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < json_->size(); ++i)
      nodes.emplace_back((*json_)[i], file_, fmt::format("{}[{}]", path_, i));
    return nodes;
  }

  double number() const {
    expect(json_->is_number(), "a number");
    return json_->get<double>();
  }

  std::int64_t integer() const {
    expect(json_->is_number_integer(), "an integer");
    return json_->get<std::int64_t>();
  }

  std::string text() const {
    expect(json_->is_string(), "a string");
    return json_->get<std::string>();
  }

  bool flag() const {
    expect(json_->is_boolean(), "true or false");
    return json_->get<bool>();
  }

  const Json& object() const {
    expect(json_->is_object(), "an object");
    return *json_;
  }

 private:
  std::string place() const { return path_.empty() ? file_ : file_ + ": " + path_; }

  void expect(bool condition, const char* what) const {
    MOE_CHECK(condition, "{}: {} was expected, not {}.", place(), what,
              json_->is_structured() ? json_->type_name() : json_->dump());
  }

  const Json* json_;
  std::string file_;
  std::string path_;
};

/// The number under a key that may be missing, or null where a number was not finite.
std::optional<double> number_if_any(const Node& node, const std::string& key) {
  return node.has(key) ? std::optional(node.at(key).number()) : std::nullopt;
}

TestScore read_score(const Node& node) {
  const Node bleu = node.at("bleu");
  const Node chrf = node.at("chrf");
  TestScore score;
  score.set = node.at("set").text();
  score.direction = node.at("direction").text();
  score.bleu = bleu.at("score").number();
  score.bleu_spread = number_if_any(bleu, "standard_deviation").value_or(0);
  score.chrf = chrf.at("score").number();
  score.chrf_spread = number_if_any(chrf, "standard_deviation").value_or(0);
  score.draws = bleu.has("draws") ? std::max<std::size_t>(bleu.at("draws").items().size(), 1) : 1;
  if (node.has("last_model")) score.last_model_bleu = node.at("last_model").at("bleu").at("score").number();
  score.loss = number_if_any(node, "loss");
  score.perplexity = number_if_any(node, "perplexity");
  return score;
}

Validation read_validation(const Node& node) {
  return {.update = node.at("update").integer(),
          .flops = number_if_any(node, "flops"),
          .seconds = std::nullopt,
          .loss = number_if_any(node, "valid_loss"),
          .perplexity = number_if_any(node, "valid_perplexity"),
          .bleu = number_if_any(node, "valid_bleu")};
}

LayerLoad read_layer(const Node& node) {
  LayerLoad layer{.stack = node.at("stack").text(), .block = node.at("block").integer(), .load = {}};
  for (const Node& share : node.at("load").items()) layer.load.push_back(share.number());
  return layer;
}

void read_strategy(const Node& document, RunResult& run) {
  const Node strategy = document.at("strategy");
  run.router = strategy.at("router").text();
  run.label = strategy.at("label").text();
  run.experts = strategy.has("experts") ? strategy.at("experts").integer() : 1;
  run.seed = document.at("seed").integer();
  run.settings = document.at("config").object();
  if (run.finished || document.has("data_digest")) run.settings["data_digest"] = document.at("data_digest").text();
  if (document.has("files")) run.settings["files"] = document.at("files").object();
}

/// The time of each validation stands with the measurements.
void add_curve_seconds(RunResult& run) {
  const Json seconds = run.measurements.value("curve_seconds", Json::array());
  if (!seconds.is_array() || seconds.size() != run.curve.size()) return;
  for (std::size_t i = 0; i < run.curve.size(); ++i) {
    if (seconds[i].is_number()) run.curve[i].seconds = seconds[i].get<double>();
  }
}

/// The parts that a failed run may not have reached.
void read_figures(const Node& document, RunResult& run) {
  const auto wanted = [&](const std::string& key) { return run.finished || document.has(key); };
  if (wanted("parameters")) {
    run.total_parameters = document.at("parameters").at("total").number();
    run.active_parameters = document.at("parameters").at("active").number();
  }
  if (wanted("flops")) run.training_flops = number_if_any(document.at("flops"), "training");
  if (wanted("training")) {
    const Node training = document.at("training");
    run.training = training.object();
    if (run.finished || training.has("undertrained")) run.undertrained = training.at("undertrained").flag();
  }
  if (wanted("curve")) {
    for (const Node& point : document.at("curve").items()) run.curve.push_back(read_validation(point));
  }
  if (wanted("scores")) {
    for (const Node& score : document.at("scores").items()) run.scores.push_back(read_score(score));
  }
  if (wanted("routing")) {
    for (const Node& layer : document.at("routing").items()) run.routing.push_back(read_layer(layer));
  }
  if (wanted("measurements")) {
    run.measurements = document.at("measurements").object();
    add_curve_seconds(run);
  }
}

}  // namespace

RunResult read_run_result(const std::filesystem::path& file) {
  const Json json = read_result(file);
  const Node document(json, file.string());
  const std::int64_t version = document.at("schema_version").integer();
  MOE_CHECK(version == result_schema_version, "{}: schema_version is {}; this program reads version {}.", file.string(),
            version, result_schema_version);
  const std::string status = document.at("status").text();
  MOE_CHECK(status == "finished" || status == "failed", "{}: status is \"{}\"; finished and failed are known.",
            file.string(), status);
  RunResult run;
  run.file = file;
  run.digest = digest_of(json.dump());
  run.run_id = document.at("run_id").text();
  run.finished = status == "finished";
  if (!run.finished) run.failure = document.at("failure").text();
  read_strategy(document, run);
  read_figures(document, run);
  return run;
}

}  // namespace moe
