#pragma once
// Affine maps on the fastest product that there is: our own where the processor has what it needs
// (kernels/gemm/matrix_product.h, kernels/gemm/widened_product.h, kernels/gemm/amx_product.h), else LibTorch's with a
// bias and a relu of our own behind it in float32.

#include <torch/types.h>

namespace moe {

/// What a layer of our own computes x in: its type, or that of autocast where it is on and x is float32.
torch::Dtype compute_type(const torch::Tensor& x);

/// Whether products of this type on the CPU are our own on this processor, for any number of rows; but for very few
/// in float32, which LibTorch's library may do faster.
bool has_own_product(torch::Dtype type);

/// c = a b, plus bias_N on every row, then relu if asked. a: [M, K], b: [K, N], c: contiguous [M, N]; every tensor of
/// one dtype and device. No autograd.
void product_out(torch::Tensor& c, const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& bias_N = {},
                 bool relu = false);

/// x w^T + b over the last dimension of x, with gradients. w: [N, K]; b: [N], or undefined. Autocast lowers all three.
torch::Tensor affine(const torch::Tensor& x, const torch::Tensor& w_NK, const torch::Tensor& b_N = {});

}  // namespace moe
