#pragma once
// The product of a gate that computes in float32 on states of a smaller type.

#include <torch/types.h>

namespace moe {

/// x w^T in float32, [T, E], with gradients: that of x in its own type. `x_TD`: bfloat16 or float16; `weight_ED`:
/// float32. Neither a float32 copy of x nor of its gradient ever lies in memory as a whole.
torch::Tensor gate_gemm(const torch::Tensor& x_TD, const torch::Tensor& weight_ED);

}  // namespace moe
