#pragma once
// Teacher-forced evaluation: unsmoothed loss per token, and how the MoE layers routed.

#include "data/batches.h"
#include "metrics/routing.h"
#include "model/transformer.h"
#include "parallel/execution_context.h"

#include <cstdint>
#include <optional>
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

// Ranks share the batches of a set, and all have the result of all: the bits of one process.

/// Evaluates all sentences of a set once, with draw number `draw` for routers that draw. The order of tokens in
/// RoutingCounts::choice is the same for every call on one set. Throws Error (runs_failed) when the loss is not a
/// finite number.
SetLoss evaluate_set(Transformer& model, const EncodedSet& set, std::int64_t directions, std::int64_t tokens_per_batch,
                     std::int64_t draw, ExecutionContext where);

/// -log p of the target tokens of each sentence of a set.
struct SentenceLosses {
  std::vector<std::int64_t> tokens;       ///< [sentence]
  std::vector<std::vector<double>> nats;  ///< [temperature][sentence]

  /// Mean over all target tokens.
  double per_token(std::size_t temperature) const;
};

/// As evaluate_set, of logits that are divided by each of the temperatures (all above 0).
SentenceLosses sentence_losses(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                               std::int64_t draw, const std::vector<double>& temperatures, ExecutionContext where);

/// The temperature that makes the loss on a set least (Guo et al. 2017, "On Calibration of Modern Neural Networks"),
/// to a hundredth or so: the lowest of a grid from 0.25 to 4, and the parabola through it and its neighbours. The first
/// draw of the evaluation is taken.
double fitted_temperature(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                          ExecutionContext where);

/// What a model says of a set's target tokens, in the order of the batches.
struct TargetPredictions {
  double nats_per_token = 0;         ///< -log p of the targets
  std::vector<std::int64_t> best_N;  ///< the most probable piece in the place of each of the N targets
};

/// Of a model whose routers draw their experts, evaluated in this way in place of their own.
TargetPredictions predict_targets(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                                  const Inference& inference, std::int64_t draw, ExecutionContext where);

/// Loss per target token with other choices of experts in all MoE layers; nothing where the swap means nothing in any
/// of them. The first draw of the evaluation is taken.
std::optional<double> swapped_loss(Transformer& model, const EncodedSet& set, std::int64_t tokens_per_batch,
                                   RoutingSwap swap, ExecutionContext where);

}  // namespace moe
