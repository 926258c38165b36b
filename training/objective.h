#pragma once
// The training objective: forward passes over a batch and the losses they add up to, for any router.

#include "model/transformer.h"
#include "training/optimizer.h"
#include "training/training_settings.h"

#include <nlohmann/json.hpp>

#include <cstdint>

namespace moe {

/// Where a micro-batch stands in its update.
struct MicroBatch {
  std::int64_t step = 0;           ///< of the optimiser
  std::int64_t index = 0;          ///< within the update
  std::int64_t count = 1;          ///< micro-batches of the update
  std::int64_t target_tokens = 0;  ///< of the whole update: what sums are divided by
};

/// What a micro-batch adds to the figures of its update.
struct LossSums {
  double cross_entropy = 0;  ///< label-smoothed, sum over target tokens, mean of the passes
  double plain = 0;          ///< unsmoothed, likewise
  double consistency = 0;    ///< symmetric KL, sum over target tokens
  double balance = 0;        ///< mean over MoE layers that have one, summed over passes; unweighted
  double z = 0;              ///< likewise
  ExpertLoads loads;         ///< assignments per expert and layer, over the passes
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LossSums, cross_entropy, plain, consistency, balance, z, loads)

struct Losses : LossSums {
  torch::Tensor total;  ///< scalar with gradient: this micro-batch's share of the update's loss over the passes
};

/// L = sum over passes of (CE + w_bal L_bal + w_z L_z) + alpha * CR, all per target token (Zuo et al. 2022, equation 4,
/// in the form of the released code: both cross entropies count in full). The total is divided by the number of passes,
/// so that clipping sees one pass's worth of gradient; Adam does not mind the factor. The passes draw their dropout and
/// their routing independently, and are computed as one batch of twice the sentences.
Losses compute_losses(Transformer& model, const ModelBatch& batch, const ObjectiveSettings& objective,
                      const MicroBatch& micro);

/// The loads of one pass, per MoE layer, added to `loads` (which is sized on first use).
void add_loads(const Plans& plans, std::size_t first_layer, ExpertLoads& loads);

}  // namespace moe
