#include "harness/commands/scale/layer_cost.h"

#include <algorithm>
#include <numeric>

namespace moe {
namespace {

constexpr double exchanges = 4;

/// Of all exchanges of a step, from the latencies of one and its seconds of transfer.
ExchangeTime of_step(double latency, double transfer) {
  return {exchanges * latency, exchanges * transfer};
}

}  // namespace

double imbalance_on(const std::vector<double>& load, std::int64_t ranks) {
  const auto experts = static_cast<std::int64_t>(load.size());
  const std::int64_t owners = std::min(ranks, experts);
  double largest = 0;
  for (std::int64_t rank = 0; rank < owners; ++rank) {
    const auto first = load.begin() + experts * rank / owners, last = load.begin() + experts * (rank + 1) / owners;
    largest = std::max(largest, std::accumulate(first, last, 0.0));
  }
  return largest * static_cast<double>(owners) / std::accumulate(load.begin(), load.end(), 0.0);
}

LayerCost layer_cost(const LayerShape& shape, const Cluster& cluster, std::int64_t ranks, double imbalance) {
  const double assignments = static_cast<double>(shape.tokens) * static_cast<double>(shape.top_k);
  const auto width = static_cast<double>(shape.width), hidden = static_cast<double>(shape.hidden);
  const double volume = imbalance * assignments * width * static_cast<double>(cluster.element_bytes);  // V
  const auto p = static_cast<double>(ranks);
  const auto g = static_cast<double>(std::min(ranks, cluster.ranks_per_node));
  const double n = p / g;
  LayerCost cost{.ranks = ranks, .imbalance = imbalance};
  cost.useful = 12 * assignments * width * hidden / cluster.rank_flops;
  cost.compute = imbalance * cost.useful;
  // Links inside and between nodes work at the same time.
  cost.flat = of_step(
      (g - 1) * cluster.inside_latency + (p - g) * cluster.between_latency,
      std::max(volume * (g - 1) / p / cluster.inside_bandwidth, volume * (p - g) / p / cluster.between_bandwidth));
  // One level after the other.
  cost.two_level =
      of_step((g - 1) * cluster.inside_latency + (n - 1) * cluster.between_latency,
              volume * (g - 1) / g / cluster.inside_bandwidth + volume * (n - 1) / n / cluster.between_bandwidth);
  return cost;
}

double communication_ratio(const Cluster& cluster, double bandwidth, std::int64_t hidden) {
  return static_cast<double>(cluster.element_bytes) * cluster.rank_flops /
         (3 * static_cast<double>(hidden) * bandwidth);
}

std::vector<std::int64_t> doubled_ranks(std::int64_t ranks_per_node, std::int64_t most) {
  std::vector<std::int64_t> ranks;
  for (std::int64_t p = 2; p < ranks_per_node && p <= most; p *= 2) ranks.push_back(p);
  for (std::int64_t p = ranks_per_node; p <= most; p *= 2) {
    if (p > 1) ranks.push_back(p);
  }
  return ranks;
}

}  // namespace moe
