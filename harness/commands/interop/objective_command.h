#pragma once
// `moe-bench objective`: the losses of one or two passes over given logits, for comparison with other implementations.

#include "harness/commands/interop/interop_request.h"

namespace moe {

/// Reads the objective, `logits1` (and `logits2` with two passes) [N, V] and `target` [N]; writes each loss as a sum
/// over the rows that are not padding, before the division by their number, and the gradients of the total. Throws
/// Error (request_wrong) naming the file and the key or tensor that is wrong.
void run_objective(const InteropRequest& request);

}  // namespace moe
