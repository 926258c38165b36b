#pragma once
// The parts of its record that a finished run adds to the header (run_folder.h).

#include "harness/results/record.h"
#include "harness/sweep/run_spec.h"
#include "model/transformer.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

#include <optional>
#include <string>
#include <vector>

namespace moe {

/// The mean of weights that the test sets are scored with, on the validation set.
struct ScoredValidation {
  double loss = 0;
  double bleu = 0;
};

/// Of a run whose training is over.
struct FinalScores {
  std::vector<TestScore> tests;           ///< test_score_entries of all sets
  std::optional<ScoredValidation> valid;  ///< none where the last weights are scored
  CalibrationRecord calibration;
  std::vector<SwapRecord> routing_swaps;
  std::optional<InferenceRecord> inference;
};

/// Sets `status` to finished and adds parameters, FLOPs, training, curve, scores and routing. All of it is the same for
/// the same configuration, seed and number of threads.
void add_finished_parts(const Transformer& model, const Trainer& trainer, const RunSpec& spec, const RunState& state,
                        FinalScores scores, RunRecord& record);

/// What depends on the machine and the moment.
MeasurementRecord measurements(const Trainer& trainer, const RunState& state, double test_seconds,
                               const std::string& device);

}  // namespace moe
