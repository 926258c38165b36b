#pragma once
// The parts of result.json that a finished run adds to its header (run_folder.h).

#include "core/json.h"
#include "harness/run_spec.h"
#include "harness/run_state.h"
#include "model/transformer.h"
#include "training/trainer.h"

#include <string>

namespace moe {

/// Sets `status` to finished and adds parameters, FLOPs, training, curve, scores and routing. All of it is the same for
/// the same configuration, seed and number of threads.
void add_finished_parts(const Transformer& model, const Trainer& trainer, const RunSpec& spec, const RunState& state,
                        Json scores, Json& result);

/// What depends on the machine and the moment: the object `measurements`.
Json measurements(const Trainer& trainer, const RunState& state, double test_seconds, const std::string& device);

}  // namespace moe
