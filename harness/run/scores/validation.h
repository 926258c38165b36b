#pragma once
// What a validation adds to a run's record: a point of the curve, and the routing figures.

#include "core/json.h"
#include "harness/run/run_data.h"
#include "harness/run/scores/scoring.h"
#include "harness/sweep/run_spec.h"
#include "model/transformer.h"
#include "training/checkpoint.h"

#include <string>
#include <vector>

namespace moe {

/// "encoder block 1".
std::string place_text(const MoePlace& place);

/// Scores the validation set and records it in the state: curve, routing, choices, decoding time. Returns
/// what a user should hear of at once, a sentence for each MoE layer with experts that got no token.
std::vector<std::string> record_validation(Transformer& model, const RunSpec& spec, const RunData& data,
                                           const Trainer& trainer, ExecutionContext where, RunState& state);

}  // namespace moe
