#pragma once
// One run: a fully resolved configuration and the names made from it.

#include "core/config.h"
#include "data/data_settings.h"
#include "decoding/evaluation_settings.h"
#include "harness/sweep/config_paths.h"
#include "model/model_settings.h"
#include "training/training_settings.h"

#include <string>
#include <vector>

namespace moe {

/// Raised when a default or a formula changes, so that old results are not taken for new ones.
inline constexpr int semantics_version = 3;

/// `strategy`: a router with its options, and an objective.
struct StrategySpec {
  std::string router = default_router;
  Json options = Json::object();  ///< resolved: every option of the router, `experts` among them where it has any
  ObjectiveSettings objective;

  /// Number of experts, or 1 for a router without that option.
  std::int64_t experts() const { return options.value("experts", std::int64_t{1}); }
  /// What charts and tables call it: the router's name, with what differs from the router's defaults in brackets,
  /// "thor (consistency 0)"; the number of experts stays out.
  std::string label() const;
};

struct RunSpec {
  DataSettings data;
  ModelSettings model;
  StrategySpec strategy;
  TrainingSettings training;
  EvaluationSettings evaluation;
};

/// Reads the five sections of one run. A strategy key that another router of `sweep_routers` knows is dropped; one that
/// none knows is an error with the nearest key named. All errors are added, with their JSON paths.
RunSpec read_run_spec(const Json& json, const std::vector<std::string>& sweep_routers, ConfigErrors& errors);

/// Adds to a configuration that the program wrote (config.json, result.json) what a key of later versions was before
/// it: `training.batch_side`, "longer"; of `evaluation.routing_swaps` and `inference_modes`, false.
void complete_older_config(Json& config);

/// Every key with its value, in the form that a sweep file has (router options beside `router`).
Json write_run_spec(const RunSpec& spec);

/// The keys that differ from their defaults, nested as in write_run_spec. The sizes of a preset count one by one
/// against the default model, the options and the objective of a router against that router's own defaults; `router`
/// always stands.
Json differing_keys(const RunSpec& spec);

/// Sixteen hexadecimal digits over the keys that differ from their defaults, the digest of the text (the data, or what
/// was made of them) and the version of the semantics. The path of the data stays out.
std::string run_digest(const RunSpec& spec, const std::string& text_digest);

/// A text as a part of a run's name, letters, digits, dots and single hyphens, at most 48 of them: "thor (consistency
/// 0)" is "thor-consistency-0".
std::string slug(const std::string& text);

/// Name of the run's folder: readable parts, then the first 8 digits of run_digest.
std::string run_id(const RunSpec& spec, const std::string& data_digest);

}  // namespace moe
