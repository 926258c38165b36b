#include "harness/commands/scale/scale_command.h"

#include "core/error.h"
#include "core/files.h"
#include "harness/commands/scale/cluster_file.h"
#include "harness/commands/scale/recorded_layer.h"
#include "harness/commands/scale/scale_charts.h"
#include "harness/report/charts/style.h"
#include "harness/report/draw_charts.h"
#include "harness/report/tables/text_table.h"

#include <ostream>
#include <string>

namespace moe {
namespace {

/// Weight, gradient and two moments in fp32, as a run of this program has them.
constexpr double bytes_per_parameter = 16;

std::vector<std::int64_t> ranks_of(const ScaleRequest& request, std::int64_t ranks_per_node) {
  for (const std::int64_t ranks : request.ranks) {
    MOE_CHECK(ranks <= ranks_per_node || ranks % ranks_per_node == 0,
              "--ranks {}: more than the {} ranks of a node come in whole nodes.", ranks, ranks_per_node);
  }
  return request.ranks.empty() ? doubled_ranks(ranks_per_node, request.most_ranks) : request.ranks;
}

LayerShape shape_of(const ScaleRequest& request, const LayerShape& recorded) {
  return {request.tokens.value_or(recorded.tokens), request.top_k.value_or(recorded.top_k),
          request.width.value_or(recorded.width), request.hidden.value_or(recorded.hidden)};
}

std::string better_exchange(const LayerCost& cost) {
  const double flat = cost.flat.total(), two_level = cost.two_level.total();
  return flat == two_level ? "equal" : flat < two_level ? "flat" : "two-level";
}

TextTable cost_table(const std::vector<LayerCost>& costs) {
  TextTable table{{"ranks", "imbalance", "flat exchange", "two-level exchange", "computation", "efficiency, flat",
                   "efficiency, two-level", "better"},
                  {true, true, true, true, true, true, true, false},
                  {}};
  const auto milliseconds = [](double seconds) { return fmt::format("{:.3g} ms", 1e3 * seconds); };
  for (const LayerCost& cost : costs) {
    table.rows.push_back({std::to_string(cost.ranks), fmt::format("{:.2f}", cost.imbalance),
                          milliseconds(cost.flat.total()), milliseconds(cost.two_level.total()),
                          milliseconds(cost.compute), fmt::format("{:.2f}", cost.efficiency(cost.flat)),
                          fmt::format("{:.2f}", cost.efficiency(cost.two_level)), better_exchange(cost)});
  }
  return table;
}

/// What was modelled, line by line.
std::vector<std::string> premises(const RecordedLayers& layers, const LayerShape& shape,
                                  const ClusterSettings& cluster) {
  return {fmt::format("loads of {}, {} MoE {}, {} experts", layers.run_id, layers.loads.size(),
                      layers.loads.size() == 1 ? "layer" : "layers", layers.experts),
          fmt::format("{} tokens a rank, top-{}, width {}, hidden {}, {} bytes an element", shape.tokens, shape.top_k,
                      shape.width, shape.hidden, cluster.element_bytes),
          cluster.name};
}

std::string limit_sentence(const ClusterSettings& settings, const LayerShape& shape) {
  const Cluster cluster = settings.cluster();
  return fmt::format(
      "Where bandwidth is all that counts, exchanges take {:.2g} times the computation inside a node and {:.2g} times "
      "between nodes.\n",
      communication_ratio(cluster, cluster.inside_bandwidth, shape.hidden),
      communication_ratio(cluster, cluster.between_bandwidth, shape.hidden));
}

std::string dense_sentence(const ClusterSettings& cluster, const RecordedLayers& layers) {
  return fmt::format(
      "The dense part of the model (all but the experts) stands on every rank: at {:.0f} bytes a parameter (fp32 "
      "weight, gradient, two moments) {:g} GB hold at most {} parameters of it, whatever the number of ranks, less "
      "what "
      "experts and activations take. The run has {} of them, and {} parameters in all.\n",
      bytes_per_parameter, cluster.rank_memory_gb, prefixed(1e9 * cluster.rank_memory_gb / bytes_per_parameter),
      prefixed(static_cast<double>(layers.dense_parameters)), prefixed(static_cast<double>(layers.parameters)));
}

void write_charts(const std::filesystem::path& folder, const std::vector<LayerCost>& costs,
                  const std::vector<std::string>& subtitle, std::ostream& notes) {
  write_file(folder / "scale_efficiency.vl.json", format_json(efficiency_against_ranks(costs, subtitle)));
  write_file(folder / "scale_time.vl.json", format_json(time_against_ranks(costs, subtitle)));
  if (const auto failure = draw_charts(folder)) notes << *failure << "\n";
}

}  // namespace

void run_scale(const ScaleRequest& request, std::ostream& out, std::ostream& notes) {
  const ClusterSettings cluster = read_cluster(request.machine);
  const std::vector<std::int64_t> ranks = ranks_of(request, cluster.ranks_per_node);
  const RecordedLayers layers = read_recorded_layers(request.result);
  const LayerShape shape = shape_of(request, layers.shape);
  std::vector<LayerCost> costs;
  for (const std::int64_t p : ranks) {
    costs.push_back(layer_cost(shape, cluster.cluster(), p, mean_imbalance_on(layers, p)));
  }
  const std::vector<std::string> lines = premises(layers, shape, cluster);
  out << "A model, nothing measured: one MoE layer in a training step, its experts divided over the ranks.\n";
  for (const std::string& line : lines) out << "- " << line << "\n";
  out << "- " << cluster.source << "\n\n" << to_markdown(cost_table(costs)) << "\n";
  out << limit_sentence(cluster, shape) << dense_sentence(cluster, layers);
  if (ranks.back() > layers.experts) {
    out << fmt::format(
        "More than {} ranks are for a model with more experts: their loads are taken to be as uneven as those of the "
        "run, and are often more so.\n",
        layers.experts);
  }
  if (!request.out.empty()) write_charts(request.out, costs, lines, notes);
}

}  // namespace moe
