#pragma once
// One run's result as tables and charts see it.

#include "core/json.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// One test set and direction of a run. A spread is the standard deviation over the draws of the evaluation.
struct TestScore {
  std::string set;
  std::string direction;
  double bleu = 0;
  double bleu_spread = 0;
  double chrf = 0;
  double chrf_spread = 0;
  std::size_t draws = 1;
  std::optional<double> last_model_bleu;  ///< of the last weights, where the others are of a mean of weights
  std::optional<double> loss;             ///< nats per token, unsmoothed
  std::optional<double> perplexity;
};

/// One point of the validation curve.
struct Validation {
  std::int64_t update = 0;
  std::optional<double> flops;    ///< of training, so far
  std::optional<double> seconds;  ///< of training, so far
  std::optional<double> loss;
  std::optional<double> perplexity;
  std::optional<double> bleu;
};

/// How the experts of one MoE layer shared the tokens of the validation set.
struct LayerLoad {
  std::string stack;         ///< "encoder" or "decoder"
  std::int64_t block = 0;    ///< zero-based, as in `model.moe_layers`
  std::vector<double> load;  ///< [E], shares that add up to 1
};

struct RunResult {
  std::filesystem::path file;
  std::string digest;  ///< of the whole file
  std::string run_id;
  bool finished = false;
  std::string failure;  ///< why a run that is not finished failed
  std::string router;
  std::string label;  ///< the strategy's name in charts and tables
  std::int64_t experts = 1;
  std::int64_t seed = 0;
  Json settings;        ///< flat: dotted key of the configuration to value; lists stay whole; `data_digest` at the end
  std::string setting;  ///< what distinguishes the run besides strategy, experts and seed; empty: nothing does
  bool undertrained = false;
  std::optional<double> total_parameters;
  std::optional<double> active_parameters;
  std::optional<double> training_flops;
  Json training;  ///< as in result.json; null when a failed run did not get there
  std::vector<Validation> curve;
  std::vector<TestScore> scores;
  std::vector<LayerLoad> routing;
  Json measurements;
};

}  // namespace moe
