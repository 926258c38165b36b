#pragma once
// Figures about how an MoE layer used its experts: numbers in, numbers out.

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace moe {

/// What is counted at one MoE layer over an evaluation. E experts, L directions.
struct RoutingCounts {
  std::vector<std::int64_t> load;                         ///< [E] kept pairs
  std::vector<std::vector<std::int64_t>> direction_load;  ///< [L][E] kept pairs of each direction's tokens
  std::int64_t tokens = 0;                                ///< valid tokens
  std::int64_t choices = 0;                               ///< choices made: kept + dropped
  std::int64_t dropped = 0;                               ///< choices that found no slot
  std::int64_t fully_dropped = 0;                         ///< tokens that no expert took
  std::int64_t skipped = 0;                               ///< second choices that their policy did not use
  double confidence_sum = 0;                              ///< sum over tokens of the gate's largest clean probability
  bool has_confidence = false;                            ///< false: the router has no gate
  std::vector<std::int64_t> choice;                 ///< first choice of each token, in a fixed order of the tokens
  std::vector<std::vector<std::int64_t>> together;  ///< [E][E] tokens that both experts kept, each counted
                                                    ///< once; on the diagonal those that one kept more than
                                                    ///< once, in several rounds
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RoutingCounts, load, direction_load, tokens, choices, dropped, fully_dropped,
                                   skipped, confidence_sum, has_confidence, choice, together)

/// Adds what was counted over later tokens of the same evaluation.
void add_counts(const RoutingCounts& later, RoutingCounts& counts);

/// How an MoE layer used its experts over an evaluation. A share of nothing is 0.
struct RoutingFigures {
  std::int64_t experts = 0;
  std::int64_t tokens = 0;
  std::vector<double> load;  ///< [E] shares of the kept choices
  double coefficient_of_variation = 0;
  double maximum_over_mean = 0;
  double entropy = 0;  ///< of the load, nats
  std::int64_t dead_experts = 0;
  double dropped = 0;                               ///< share of the choices
  double fully_dropped = 0;                         ///< share of the tokens
  double skipped = 0;                               ///< second choices, as a share of the tokens
  std::optional<double> confidence;                 ///< none without a gate
  std::vector<std::vector<double>> direction_load;  ///< [L][E] shares
  /// [E][E] shares of the tokens that each two experts had in common, and on the diagonal of those that one had more
  /// than once; none when there are no such tokens.
  std::optional<std::vector<std::vector<double>>> co_activation;
  std::optional<double> flip_rate;  ///< share of the tokens whose first choice changed; none at the first evaluation
  std::vector<double> saturation;   ///< for each earlier evaluation: share that had already made this one's choice
};

/// `earlier`: the first choices of earlier evaluations, oldest first.
RoutingFigures routing_metrics(const RoutingCounts& counts, const std::vector<std::vector<std::int64_t>>& earlier);

}  // namespace moe
