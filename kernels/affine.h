#pragma once
// Affine maps on the fastest product that there is: our own in float32 where it beats LibTorch's
// (kernels/matrix_product.h), else LibTorch's.

#include <torch/types.h>

namespace moe {

/// What a layer of our own computes x in: its type, or that of autocast where it is on and x is float32.
torch::Dtype compute_type(const torch::Tensor& x);

/// c = a b, plus bias_N on every row, then relu if asked. a: [M, K], b: [K, N], c: contiguous [M, N]; every tensor of
/// one dtype and device. No autograd.
void product_out(torch::Tensor& c, const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& bias_N = {},
                 bool relu = false);

/// x w^T + b over the last dimension of x, with gradients. w: [N, K]; b: [N], or undefined. Under autocast, LibTorch's.
torch::Tensor affine(const torch::Tensor& x, const torch::Tensor& w_NK, const torch::Tensor& b_N = {});

}  // namespace moe
