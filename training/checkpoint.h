#pragma once
// Everything that a run needs to go on after it was cut, as one checkpoint file.

#include "core/json.h"
#include "training/trainer.h"
#include "training/weight_mean.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// Sums since the last validation, for the curve's means.
struct CurveSums {
  std::int64_t updates = 0;
  double cross_entropy = 0;
  double consistency = 0;
  double balance = 0;

  void add(const StepReport& report);
};

/// Wall time spent, over all the processes that worked on the run.
struct Seconds {
  double training = 0;
  double validation = 0;
};

/// The harness's side of a run's state; the trainer has its own.
struct RunState {
  std::string origin;                 ///< of the run that the state belongs to, as run_fingerprint() gives it
  Json curve = Json::array();         ///< as in result.json
  Json routing = Json::array();       ///< figures of the last validation, as in result.json
  std::vector<double> curve_seconds;  ///< when each point of the curve was reached
  CurveSums sums;
  std::vector<std::vector<std::vector<std::int64_t>>> choices;  ///< per MoE layer: first choices at each validation
  WeightMean mean;                                              ///< over the end of training so far
  std::uintmax_t log_bytes = 0;                                 ///< length of train.jsonl that belongs to this state
  std::string started;                                          ///< when the run first began
  Seconds seconds;
  std::int64_t decoded_sentences = 0;
  double decoding_seconds = 0;
};

/// Writes trainer and state to the file, whole or not at all. Called by all ranks alike, of which the first writes; the
/// file does not tell how many they were.
void save_checkpoint(const std::filesystem::path& file, const Trainer& trainer, const RunState& state);

/// Restores both. Throws Error naming the file when it is damaged, or `state.origin` is not that of its run.
void load_checkpoint(const std::filesystem::path& file, Trainer& trainer, RunState& state);

/// Sets the model to what the test sets were scored with: the checkpoint's mean of weights. Throws as load_checkpoint
/// does.
void load_scored_weights(Transformer& model, const std::filesystem::path& checkpoint, const std::string& origin);

}  // namespace moe
