#pragma once
// Figures about how an MoE layer used its experts: numbers in, numbers out.

#include "core/json.h"

#include <cstdint>
#include <vector>

namespace moe {

/// What is counted at one MoE layer over an evaluation. E experts, L directions.
struct RoutingCounts {
  std::vector<std::int64_t> load;                         ///< [E] kept pairs
  std::vector<std::vector<std::int64_t>> direction_load;  ///< [L][E] kept pairs of each direction's tokens
  std::int64_t tokens = 0;                                ///< valid tokens
  std::int64_t choices = 0;                               ///< choices made: kept + dropped
  std::int64_t dropped = 0;                               ///< choices that found no slot
  std::int64_t fully_dropped = 0;                         ///< tokens none of whose choices found a slot
  std::int64_t skipped = 0;                               ///< second choices that their policy did not use
  double confidence_sum = 0;                              ///< sum over tokens of the gate's largest clean probability
  bool has_confidence = false;                            ///< false: the router has no gate
  std::vector<std::int64_t> choice;                 ///< first choice of each token, in a fixed order of the tokens
  std::vector<std::vector<std::int64_t>> together;  ///< [E][E] tokens that both experts kept, each counted
                                                    ///< once; on the diagonal those that one kept more than
                                                    ///< once, in several passes
};

/// The figures as `result.json` holds them: experts, tokens, load (shares), coefficient_of_variation,
/// maximum_over_mean, entropy (nats), dead_experts, dropped, fully_dropped and skipped (shares), confidence (null
/// without a gate), load_by_direction, co_activation (shares of the tokens that each two experts had in common, and on
/// the diagonal of those that one had more than once; null when there are none), flip_rate (share of the tokens whose
/// first choice differs from that of the evaluation before; null at the first) and saturation (for each earlier
/// evaluation, the share of the tokens that had already made this one's choice). `earlier`: the first choices of
/// earlier evaluations, oldest first.
Json routing_figures(const RoutingCounts& counts, const std::vector<std::vector<std::int64_t>>& earlier);

}  // namespace moe
