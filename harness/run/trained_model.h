#pragma once
// A finished run's model, as its test sets were scored with it.

#include "harness/run/run_folder.h"
#include "harness/sweep/run_spec.h"
#include "model/transformer.h"

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

namespace moe {

/// Throws Error (request_wrong) for a folder without a checkpoint.
void require_checkpoint(const RunFolder& folder);

/// The run's model with the weights that its test sets were scored with. `spec` is that of the folder but for how its
/// router evaluates; `vocabulary` the number of subwords.
std::shared_ptr<Transformer> load_trained_model(const RunFolder& folder, const RunSpec& spec, std::int64_t vocabulary,
                                                const c10::Device& device);

}  // namespace moe
