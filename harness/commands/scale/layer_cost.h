#pragma once
// A model of what one MoE layer costs when its experts are divided over the ranks of a cluster (expert parallel).
//
// Each rank has T tokens, each of which k experts take; the experts are nets of width D and hidden width F, an element
// has b bytes. P ranks, g of them on a node, n = P/g nodes. The volume that a rank sends in one exchange is
// V = T k D b. A step has four exchanges (dispatch and combine, forward and backward) and 12 T k D F floating-point
// operations (two matrices, 2 each, forward once and backward twice).
//
// Every rank waits for the busiest one, which computes, receives and returns `imbalance` times the mean: operations and
// volume are multiplied by it, latencies are not. What this leaves out: overlap of exchange and computation, congestion
// of the network, gradients of the dense part.

#include <cstdint>
#include <vector>

namespace moe {

/// Bandwidths in bytes per second of one rank in one direction, latencies in seconds of one message.
struct Cluster {
  double rank_flops = 0;  ///< useful ones per second
  std::int64_t ranks_per_node = 1;
  double inside_bandwidth = 0;  ///< between ranks of a node
  double between_bandwidth = 0;
  double inside_latency = 0;
  double between_latency = 0;
  std::int64_t element_bytes = 0;
};

struct LayerShape {
  std::int64_t tokens = 0;  ///< T, of each rank
  std::int64_t top_k = 0;
  std::int64_t width = 0;
  std::int64_t hidden = 0;
};

/// Seconds of a step's four exchanges.
struct ExchangeTime {
  double latency = 0;
  double transfer = 0;

  double total() const { return latency + transfer; }
};

/// Seconds of the layer in one step, forward and backward.
struct LayerCost {
  std::int64_t ranks = 1;
  double imbalance = 1;
  double useful = 0;            ///< the computation, were all ranks equally busy
  double compute = 0;           ///< of the busiest rank
  ExchangeTime flat = {};       ///< every rank sends to every other
  ExchangeTime two_level = {};  ///< first to the ranks of its node, then to its like on the other nodes

  /// Share of the layer's time that is useful computation.
  double efficiency(const ExchangeTime& exchange) const { return useful / (compute + exchange.total()); }
};

/// The largest load of a rank over the mean of the ranks. `load`: of each expert, in any unit. Expert e of E belongs to
/// rank r of P where E r / P <= e < E (r + 1) / P, so a rank with several experts evens out their loads. More ranks
/// than experts: one expert a rank, that is the largest load of an expert over the mean, as if there were more experts
/// with loads like these.
double imbalance_on(const std::vector<double>& load, std::int64_t ranks);

/// `ranks`: at most one node, or whole nodes.
LayerCost layer_cost(const LayerShape& shape, const Cluster& cluster, std::int64_t ranks, double imbalance);

/// Time of communication over that of computation where bandwidth is all that counts and every byte goes over a link of
/// `bandwidth`: b S / (3 F B). Tokens, top-k, width and the number of ranks don't matter to it.
double communication_ratio(const Cluster& cluster, double bandwidth, std::int64_t hidden);

/// Numbers of ranks from 2 to `most`, each twice the one before: inside a node, from the whole node on by nodes.
std::vector<std::int64_t> doubled_ranks(std::int64_t ranks_per_node, std::int64_t most);

}  // namespace moe
