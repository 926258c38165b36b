#pragma once
// How long a run takes on this machine, measured on a few of its own batches.

#include "harness/run/run_data.h"
#include "harness/sweep/run_spec.h"

#include <cstdint>

namespace moe {

/// What is measured on: the sentences of a run, or made-up ones where its data are missing.
struct PaceData {
  EncodedSet train;
  EncodedSet scored;  ///< some sentences of validation and test sets
  std::int64_t valid_sentences = 0;
  std::int64_t test_sentences = 0;  ///< of all test sets
  TokenCounts counts;
};

PaceData pace_data(const RunData& data);

/// A thousand sentences of 25 subwords in every set.
PaceData made_up_pace_data(std::int64_t vocabulary_size);

/// Of a run on one thread.
struct RunPace {
  double seconds_per_update = 0;
  double flops_per_update = 0;
  double seconds_per_validation = 0;  ///< loss and translations of the validation set, over all draws
  double seconds_of_tests = 0;        ///< the same of all test sets, for one model
};

/// Trains and scores on the CPU for a second or two, longer where a step takes longer; sets LibTorch to one thread.
RunPace measure_pace(const RunSpec& spec, const PaceData& data);

/// Updates until the first of the budgets is spent.
double expected_updates(const TrainingSettings& training, const RunPace& pace);

/// Training, validations and tests.
double expected_seconds(const RunSpec& spec, const RunPace& pace);

}  // namespace moe
