#pragma once
// Dropout whose mask is a function of a key and the element's index: on the CPU nothing is stored for the backward
// pass, and no other use of randomness can shift it.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// x with each element zeroed with probability `rate` and the others divided by the probability to stay. The rate is
/// rounded to a multiple of 1/65536, and the division uses the rounded one. Any shape; float32, float64 or bfloat16.
/// Several keys cut the first dimension into as many equal parts: each gets the mask that it would get alone.
/// (Not `dropout`: LibTorch has one, whose last argument a key would fit.)
torch::Tensor keyed_dropout(const torch::Tensor& x, double rate, c10::ArrayRef<std::uint64_t> keys);

/// residual + keyed_dropout(x), in one pass over both, as the residual's type.
torch::Tensor residual_dropout(const torch::Tensor& residual, const torch::Tensor& x, double rate,
                               c10::ArrayRef<std::uint64_t> keys);

/// The factors that dropout multiplies by, [count], built from tensor operations on any device: the kernel's reference.
torch::Tensor dropout_factors(std::int64_t count, double rate, std::uint64_t key, const torch::TensorOptions& options);

}  // namespace moe
