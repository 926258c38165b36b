#pragma once
// The feed-forward experts of an MoE layer over a routing plan: gather rows, one product per expert in use, scatter the
// weighted rows back. Forward and backward are written by hand, without autograd inside.

#include "kernels/experts/expert_weights.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// out[t] = sum over the assignments of row t of weight * expert(x[t]); 0 for rows without an assignment.
/// x_TD: [T, D]; token_M: int64 [M], rows sorted by expert, or undefined when assignment m is row m; weight_M: [M] with
/// gradient, or undefined for weight 1; expert_offsets: E + 1 numbers. Weights and x share one dtype (float32, float64
/// or bfloat16) and device. Cost follows the M assignments and the weights of the experts in use; the gradients of
/// unused experts are zero. If `weights` holds some experts alone, x_TD holds just their rows, in order, and token_M is
/// undefined.
torch::Tensor expert_ffn(const torch::Tensor& x_TD, const torch::Tensor& token_M, const torch::Tensor& weight_M,
                         const std::vector<std::int64_t>& expert_offsets, const ExpertWeights& weights);

}  // namespace moe
