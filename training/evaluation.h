#pragma once
// Teacher-forced evaluation: unsmoothed loss per token, and how the MoE layers routed.

#include "data/batches.h"
#include "metrics/routing.h"
#include "model/transformer.h"

#include <cstdint>
#include <vector>

namespace moe {

struct SetLoss {
  std::vector<double> sum;             ///< per direction: -log p of all target tokens, nats
  std::vector<std::int64_t> tokens;    ///< per direction
  std::vector<RoutingCounts> routing;  ///< per MoE layer, encoder first

  /// Mean over all target tokens.
  double per_token() const;
  double per_token(std::size_t direction) const;
};

/// Evaluates all sentences of a set once, with draw number `draw` for routers that draw. The order of tokens in
/// RoutingCounts::choice is the same for every call on one set. Throws Error (runs_failed) when the loss is not a
/// finite number.
SetLoss evaluate_set(Transformer& model, const EncodedSet& set, std::int64_t directions, std::int64_t tokens_per_batch,
                     std::int64_t draw, torch::Device device);

}  // namespace moe
