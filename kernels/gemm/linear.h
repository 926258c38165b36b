#pragma once
// Linear maps with a fused bias and relu, by the fastest gemm of this processor (kernels/gemm/select.h): ours, or
// LibTorch's, followed in float32 by a pass of ours for bias and relu.

#include <torch/types.h>

namespace moe {

/// The dtype that a layer computes x in: that of x, or autocast's where it is on and x is float32.
torch::Dtype compute_type(const torch::Tensor& x);

/// c = a b, plus bias_N on every row, then relu if asked. a: [M, K], b: [K, N], c: contiguous [M, N]; every tensor of
/// one dtype and device. No autograd.
void gemm_out(torch::Tensor& c, const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& bias_N = {},
              bool relu = false);

/// x w^T + b over the last dimension of x, with gradients. w: [N, K]; b: [N], or undefined. Autocast lowers all three.
torch::Tensor fused_linear(const torch::Tensor& x, const torch::Tensor& w_NK, const torch::Tensor& b_N = {});

}  // namespace moe
