#pragma once
// How much of its budget a run has spent, and the learning rate that follows from it.

#include "training/training_settings.h"

#include <cstdint>

namespace moe {

/// What training has used so far.
struct Spent {
  std::int64_t updates = 0;
  double flops = 0;
  double seconds = 0;
};

/// The largest of the shares of `updates`, `flops` and `seconds` that are spent; training ends at 1.
double share_of_budget(const TrainingSettings& settings, const Spent& spent);

/// Learning rate of an update, counted from 1, before which `share` of the budget was spent. Linear to the peak at
/// `warmup`; then ~ 1 / sqrt(update) (Vaswani et al. 2017), or by `linear` and `cosine` to 0 at the end of the budget,
/// where the share after the warm-up is taken as warmup / updates.
double learning_rate_at(const TrainingSettings& settings, std::int64_t update, double share);

}  // namespace moe
