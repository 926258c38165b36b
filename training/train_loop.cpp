#include "training/train_loop.h"

#include "core/stopwatch.h"
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

}  // namespace

bool run_train_loop(const TrainLoopSettings& settings, const Transformer& model, Trainer& trainer, RunState& state,
                    const TrainLoopHooks& hooks) {
  const auto share_spent = [&] { return trainer.share_spent(state.seconds.training); };
  Stopwatch since_checkpoint;
  if (share_spent() < 1) trainer.reserve_memory();
  while (share_spent() < 1) {
    const StepReport report = timed_step(settings, trainer, state);
    if (share_spent() > 1 - settings.average_share) state.mean.add(model);
    state.sums.add(report);
    hooks.after_step(report);
    const bool at_validation = trainer.update() % settings.validate_every == 0 || share_spent() == 1;
    if (at_validation) hooks.validate();
    const bool stop = hooks.stop();
    if (at_validation || stop || since_checkpoint.seconds() >= settings.checkpoint_seconds) {
      hooks.checkpoint();
      since_checkpoint.restart();
    }
    if (stop) return false;
  }
  if (state.curve.empty()) {  // no update at all: the untrained model is scored
    hooks.validate();
    hooks.checkpoint();
  }
  return true;
}

}  // namespace moe
