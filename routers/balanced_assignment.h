#pragma once
// Tokens shared out between experts so that loads are even and the sum of affinities is largest.

#include "routers/tokens.h"

#include <torch/types.h>

namespace moe {

/// int64 [T, 1] on the CPU, -1 for padding: the assignment with the largest sum of affinity_TE (any floating dtype, no
/// gradient) in which every expert gets floor(S / E) or ceil(S / E) of the S valid tokens; exact, by shortest
/// augmenting paths. An affinity that is no finite number counts as the smallest finite one. Among equal sums the
/// result is always the same. Time: for each token at most one search over the E experts.
torch::Tensor balanced_assignment(const torch::Tensor& affinity_TE, const Tokens& tokens);

}  // namespace moe
