#pragma once
// The runs that `moe-bench tune` makes of a sweep and its tune settings.

#include "harness/sweep/sweep.h"
#include "harness/sweep/tune_settings.h"

#include <string>
#include <vector>

namespace moe {

/// One run whose validation scores tell how good a setting is for a strategy.
struct Trial {
  std::string strategy;  ///< label
  Json where;            ///< conditions that only runs of this strategy and objective meet
  Json set;              ///< dotted key to value: the setting that is tried
  RunSpec spec;          ///< of the run; its test set is the validation set
};

/// Every setting with every seed for every strategy and objective of the sweep, number of experts aside. Throws Error
/// when several configurations of a strategy match `at`.
std::vector<Trial> tuning_trials(const Sweep& sweep, const TuneSettings& settings);

/// The trials as a sweep of their own.
Sweep trial_sweep(const Sweep& sweep, const std::vector<Trial>& trials);

}  // namespace moe
