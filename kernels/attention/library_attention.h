#pragma once
// The attention of kernels/attention/attention.h by LibTorch's scaled_dot_product_attention: for types, devices and
// processors that ours does not serve.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// As self_attention, but a query that sees nothing gets what LibTorch gives it.
torch::Tensor library_self_attention(const torch::Tensor& qkv, std::int64_t heads, const torch::Tensor& mask,
                                     bool causal);

/// As cross_attention, with the same exception.
torch::Tensor library_cross_attention(const torch::Tensor& query, const torch::Tensor& key_value, std::int64_t heads,
                                      const torch::Tensor& mask);

}  // namespace moe
