#include "harness/commands/scale/recorded_layer.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/results/result_file.h"
#include "harness/run/build_model.h"
#include "harness/sweep/run_spec.h"

#include <algorithm>
#include <numeric>

namespace moe {
namespace {

/// What of a configuration tells the shape of an MoE layer. The rest may have keys of another version.
Json layer_config(const Json& config) {
  const auto section = [&](const char* name) { return config.value(name, Json::object()); };
  Json kept = {{"data", section("data")}, {"model", section("model")}, {"strategy", section("strategy")}};
  kept["strategy"].erase("objective");
  const Json training = section("training");
  if (training.contains("tokens_per_batch")) kept["training"]["tokens_per_batch"] = training["tokens_per_batch"];
  return kept;
}

RunSpec spec_of(const RunRecord& record, const std::string& file) {
  ConfigErrors errors;
  const RunSpec spec = read_run_spec(layer_config(record.config), {record.strategy.router}, errors);
  std::vector<std::string> lines;
  for (const std::string& sentence : errors.sentences()) lines.push_back(fmt::format("{}: config.{}", file, sentence));
  if (!lines.empty()) throw Error(join(lines, "\n"));
  return spec;
}

std::vector<std::vector<double>> loads_of(const RunRecord& record) {
  std::vector<std::vector<double>> loads;
  for (const LayerRouting& layer : record.routing) {
    const std::vector<double>& load = layer.figures.load;
    if (load.size() > 1 && std::accumulate(load.begin(), load.end(), 0.0) > 0) loads.push_back(load);
  }
  return loads;
}

}  // namespace

RecordedLayers read_recorded_layers(const std::filesystem::path& result) {
  const std::string file = result.string();
  const RunRecord record = read_run_record(read_result(result), file);
  RecordedLayers layers;
  layers.run_id = record.run_id;
  layers.loads = loads_of(record);
  MOE_CHECK(!layers.loads.empty() && record.parameters,
            "{}: routing: the run has no MoE layer whose tokens chose among several experts, so there is nothing to "
            "exchange.",
            file);
  const RunSpec spec = spec_of(record, file);
  const ExpertLayout layout = expected_layout(spec);
  const std::int64_t width = spec.model.width, hidden = layout.hidden(spec.model.ffn);
  layers.shape = {spec.training.tokens_per_batch, layout.active, width, hidden};
  layers.parameters = layers.dense_parameters = record.parameters->total;
  for (const std::vector<double>& load : layers.loads) {
    layers.experts = std::max(layers.experts, std::ssize(load));
    layers.dense_parameters -= std::ssize(load) * (2 * width * hidden + hidden + width);  // weights and biases
  }
  return layers;
}

double mean_imbalance_on(const RecordedLayers& layers, std::int64_t ranks) {
  double sum = 0;
  for (const std::vector<double>& load : layers.loads) sum += imbalance_on(load, ranks);
  return sum / static_cast<double>(layers.loads.size());
}

}  // namespace moe
