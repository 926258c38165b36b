#pragma once
// The `training` section of a sweep and the training objective of a strategy.

#include "core/config.h"
#include "data/batches.h"

#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// `strategy.objective`: which passes a step makes and which losses they add up to, independent of the router.
/// L = sum over passes of (CE + balance_loss * L_bal + z_loss * L_z) + consistency * CR, per target token.
struct ObjectiveSettings {
  std::int64_t passes = 1;              ///< forward passes over each batch: 1 or 2
  double consistency = 0;               ///< alpha: weight of the symmetric KL divergence between two passes
  double label_smoothing = 0.1;         ///< eps, spread over the V - 1 wrong ids
  double balance_loss = 0;              ///< w_bal
  std::string balance_layers = "mean";  ///< mean | sum | concatenated | stacked_experts: L_bal over several layers
  double z_loss = 0;                    ///< w_z

  void visit(FieldVisitor& visitor);
};

/// Adds an error for a consistency weight without two passes.
void check_settings(const ObjectiveSettings& settings, const std::string& path, ConfigErrors& errors);

struct TrainingSettings {
  std::int64_t tokens_per_batch = 4096;  ///< tokens of a micro-batch on `batch_side`, padding included, at most
  std::string batch_side = "target";     ///< target | longer: BatchSide
  std::int64_t accumulate = 1;           ///< micro-batches per update
  std::int64_t updates = 4000;
  std::optional<double> flops;            ///< stop after this many training FLOPs, if that is earlier
  std::optional<double> seconds;          ///< stop after this much wall time, if that is earlier
  double learning_rate = 1e-3;            ///< peak, reached at the end of the warm-up
  std::int64_t warmup = 1000;             ///< updates of linear warm-up
  std::string schedule = "inverse_sqrt";  ///< after the warm-up: inverse_sqrt | linear | cosine
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.98;
  double adam_epsilon = 1e-8;
  double weight_decay = 0;                  ///< decoupled (AdamW)
  double clip_norm = 1.0;                   ///< of the gradient of the loss divided by the passes; 0: no clipping
  std::string precision = "fp32";           ///< fp32 | bf16 (autocast; router, losses and weights stay fp32)
  std::string unused_expert_grad = "none";  ///< none: unused experts stand still; zero: Adam moves them
  std::int64_t seed = 1;

  void visit(FieldVisitor& visitor);
};

BatchLimit batch_limit(const TrainingSettings& settings);

/// Adds an error for a schedule that has no update left to fall in.
void check_settings(const TrainingSettings& settings, const std::string& path, ConfigErrors& errors);

}  // namespace moe
