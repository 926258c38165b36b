#pragma once
// The experts of an MoE layer where nobody asks for gradients.

#include "kernels/experts/expert_weights.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// As expert_ffn, on the CPU, in float32 or bfloat16, without gradients. Rows are gathered, computed and placed a block
/// at a time, so that no table of all assignments goes through memory where no row has two of them. token_M may be
/// undefined only without weights.
torch::Tensor expert_inference(const torch::Tensor& x_TD, const torch::Tensor& token_M, const torch::Tensor& weight_M,
                               const std::vector<std::int64_t>& expert_offsets, const ExpertWeights& weights);

}  // namespace moe
