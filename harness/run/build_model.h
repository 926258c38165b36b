#pragma once
// From a resolved configuration to a model.

#include "harness/sweep/run_spec.h"
#include "model/transformer.h"

#include <memory>

namespace moe {

/// The untrained model of a run, on the CPU.
std::shared_ptr<Transformer> build_model(const RunSpec& spec, const TokenCounts& counts);

/// How often an evaluation is repeated: more than once only where the router draws its experts.
std::int64_t evaluation_draws(const RunSpec& spec);

}  // namespace moe
