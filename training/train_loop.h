#pragma once
// The loop of a run's training: steps until the budget is spent, with validations and checkpoints between them.

#include "parallel/communicator.h"
#include "training/checkpoint.h"
#include "training/trainer.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace moe {

struct TrainLoopSettings {
  std::int64_t validate_every = 500;  ///< updates
  double average_share = 0.1;         ///< of the budget: its last part, whose weights are averaged
  double checkpoint_seconds = 60;     ///< between checkpoints, at most; each validation makes one too
  std::map<std::string, double>* phase_seconds = nullptr;  ///< where steps add their time by phase; null: not measured
};

/// What the loop asks of its surroundings.
struct TrainLoopHooks {
  std::function<void(const StepReport&)> after_step;
  std::function<void()> validate;    ///< adds a point to state.curve
  std::function<void()> checkpoint;  ///< writes trainer and state
  std::function<bool()> stop;        ///< true: end after a checkpoint
};

/// Trains from where trainer and state stand. True when the budget is spent, with at least one validation; false when
/// `stop` ended it, on one of the ranks that share the run. The first rank's clock counts.
bool run_train_loop(const TrainLoopSettings& settings, const Transformer& model, Trainer& trainer, RunState& state,
                    const TrainLoopHooks& hooks, Communicator& ranks = one_rank());

}  // namespace moe
