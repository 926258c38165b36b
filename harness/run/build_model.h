#pragma once
// From a resolved configuration to a model.

#include "harness/sweep/run_spec.h"
#include "model/model_size.h"
#include "model/transformer.h"

#include <memory>

namespace moe {

/// The untrained model of a run, on the CPU. `exchange` as in Transformer.
std::shared_ptr<Transformer> build_model(const RunSpec& spec, const TokenCounts& counts,
                                         ExpertExchange* exchange = nullptr);

/// Parameters of that model, from the settings alone. A router that cannot be made yet (a hash table from a file fits
/// the vocabulary that is found, which may be smaller than the one asked for) is taken for one that has no parameters
/// and chooses one expert; what is wrong with it, if anything, is for the run to tell.
ParameterCount expected_parameters(const RunSpec& spec, const TokenCounts& counts);

/// Layout of the experts in each MoE layer of that model, from the settings alone, with the same exception.
ExpertLayout expected_layout(const RunSpec& spec);

/// How often an evaluation is repeated: more than once only where the router draws its experts.
std::int64_t evaluation_draws(const RunSpec& spec);

}  // namespace moe
