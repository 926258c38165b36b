#include "training/train_loop.h"

#include "core/stopwatch.h"
#include "parallel/share_out.h"
#include "training/phase_profile.h"

namespace moe {
namespace {

StepReport timed_step(const TrainLoopSettings& settings, Trainer& trainer, RunState& state) {
  const Stopwatch stopwatch;
  StepReport report;
  if (settings.phase_seconds == nullptr) {
    report = trainer.step(state.seconds.training);
  } else {
    const PhaseProfile profile;
    report = trainer.step(state.seconds.training);
    for (const auto& [phase, seconds] : profile.seconds()) (*settings.phase_seconds)[phase] += seconds;
  }
  state.seconds.training += stopwatch.seconds();
  return report;
}

/// What a rank finds after a step.
struct LoopStatus {
  double training_seconds = 0;
  bool checkpoint_is_due = false;
  bool stop = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LoopStatus, training_seconds, checkpoint_is_due, stop)

/// What all ranks go by: the first rank's clock, and anybody's wish to stop.
LoopStatus agree(Communicator& ranks, const LoopStatus& mine) {
  if (ranks.size() == 1) return mine;
  const auto all =
      share_out<LoopStatus>(ranks, "status of the training", ranks.size(), [&](std::int64_t) { return mine; });
  LoopStatus agreed = all.front();
  for (const LoopStatus& one : all) agreed.stop = agreed.stop || one.stop;
  return agreed;
}

}  // namespace

bool run_train_loop(const TrainLoopSettings& settings, const Transformer& model, Trainer& trainer, RunState& state,
                    const TrainLoopHooks& hooks, Communicator& ranks) {
  const auto share_spent = [&] { return trainer.share_spent(state.seconds.training); };
  Stopwatch since_checkpoint;
  // Memory may be short on one rank alone, which the others must hear of.
  if (share_spent() < 1) on_all_ranks(ranks, "largest batch", [&] { trainer.reserve_memory(); });
  while (share_spent() < 1) {
    const StepReport report = timed_step(settings, trainer, state);
    state.seconds.training = agree(ranks, {.training_seconds = state.seconds.training}).training_seconds;
    if (share_spent() > 1 - settings.average_share) state.mean.add(model);
    state.sums.add(report);
    hooks.after_step(report);
    const bool at_validation = trainer.update() % settings.validate_every == 0 || share_spent() == 1;
    if (at_validation) hooks.validate();
    const bool is_due = since_checkpoint.seconds() >= settings.checkpoint_seconds;
    const LoopStatus status = agree(ranks, {.training_seconds = 0, .checkpoint_is_due = is_due, .stop = hooks.stop()});
    if (at_validation || status.stop || status.checkpoint_is_due) {
      hooks.checkpoint();
      since_checkpoint.restart();
    }
    if (status.stop) return false;
  }
  if (state.curve.empty()) {  // no update at all: the untrained model is scored
    hooks.validate();
    hooks.checkpoint();
  }
  return true;
}

}  // namespace moe
