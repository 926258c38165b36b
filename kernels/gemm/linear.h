#pragma once
// Linear maps with a fused bias and relu, by the fastest gemm of this processor: ours where it has the instructions
// (kernels/gemm/gemm.h, kernels/gemm/upcast_gemm.h, kernels/gemm/amx_gemm.h), else LibTorch's, followed in float32 by a
// pass of ours for bias and relu.

#include <torch/types.h>

namespace moe {

/// The dtype that a layer computes x in: that of x, or autocast's where it is on and x is float32.
torch::Dtype compute_type(const torch::Tensor& x);

/// Whether a gemm of this dtype on the CPU is ours on this processor, for any number of rows; very few rows in float32
/// may still be left to LibTorch's library where that is faster.
bool has_own_gemm(torch::Dtype type);

/// c = a b, plus bias_N on every row, then relu if asked. a: [M, K], b: [K, N], c: contiguous [M, N]; every tensor of
/// one dtype and device. No autograd.
void gemm_out(torch::Tensor& c, const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& bias_N = {},
              bool relu = false);

/// x w^T + b over the last dimension of x, with gradients. w: [N, K]; b: [N], or undefined. Autocast lowers all three.
torch::Tensor fused_linear(const torch::Tensor& x, const torch::Tensor& w_NK, const torch::Tensor& b_N = {});

}  // namespace moe
