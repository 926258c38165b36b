#pragma once
// `tune` of a sweep: the settings that every strategy tries, alike in number, before the sweep is run.

#include "harness/config_paths.h"
#include "harness/sweep.h"

#include <string>
#include <vector>

namespace moe {

struct TuneSettings {
  Json grid = Json::object();        ///< keys with their values, crossed: what is tried
  Json at = Json::object();          ///< conditions on the runs that stand for their strategy
  Json seeds = Json::array({1001});  ///< of the trials
  std::string metric = "bleu";       ///< bleu | loss, on the validation set

  void visit(FieldVisitor& visitor);
};

/// Adds an error for whatever would keep `tuning_trials` from working, a seed of the sweep's runs among the trials'.
void check_tune(const Json& tune, const std::vector<RunSpec>& runs, const ConfigPaths& paths, ConfigErrors& errors);

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
