#pragma once
// `moe-bench layer`: one MoE layer on given tokens and weights, for comparison with other implementations.

#include "harness/commands/interop/interop_request.h"

namespace moe {

/// Reads the router and its conditions, `x` [B, S, D] and the weights; writes the output, the plan, the losses, and the
/// gradients of sum(output * grad_output) + auxiliary_weight * balance_loss when `grad_output` is given. A second input
/// beyond the contract: `token_counts` int64 [V], for hash routers; default: the counts in `token_ids`.
/// Throws Error (request_wrong) naming the file and the key or tensor that is wrong.
void run_layer(const InteropRequest& request);

}  // namespace moe
