#pragma once
// `tune` of a sweep: the settings that every strategy tries, alike in number, before the sweep is run.

#include "harness/sweep/run_spec.h"

#include <string>
#include <vector>

namespace moe {

struct TuneSettings {
  Json grid = Json::object();        ///< keys with their values, crossed: what is tried
  Json at = Json::object();          ///< conditions on the runs that stand for their strategy
  Json seeds = Json::array({1001});  ///< of the trials
  std::string metric = "bleu";       ///< one of metrics_in_tuning(), on the validation set

  void visit(FieldVisitor& visitor);
};

/// Adds an error for whatever would keep `tuning_trials` from working, a seed of the sweep's runs among the trials'.
void check_tune(const Json& tune, const std::vector<RunSpec>& runs, const ConfigPaths& paths, ConfigErrors& errors);

}  // namespace moe
