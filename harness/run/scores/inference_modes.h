#pragma once
// What each way to evaluate a router that draws its experts makes of a trained model.

#include "harness/results/record.h"
#include "harness/sweep/run_spec.h"
#include "model/transformer.h"
#include "parallel/execution_context.h"

#include <optional>

namespace moe {

/// On the validation set: `evaluation.draws` evaluations of each way that draws, one of those that do not, and one with
/// each expert alone. None for a router without the option `inference`.
std::optional<InferenceRecord> inference_modes(Transformer& model, const RunSpec& spec, const EncodedSet& valid,
                                               ExecutionContext where);

}  // namespace moe
