#pragma once
// AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019) over all parts of a model at once. LibTorch's fused kernel,
// which this one follows and gives way to off the CPU, takes lists of tensors, and small models spend more on those
// than on the arithmetic.

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// What is stepped as one: some elements of four contiguous tensors of one shape, dtype and device.
struct AdamwPart {
  torch::Tensor parameter, gradient, first_moment, second_moment;
  std::int64_t first = 0, count = 0;  ///< elements
  float* steps = nullptr;             ///< how many it has made; counts on
};

struct AdamwFactors {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  double gradient_scale = 1;  ///< gradients are multiplied by it as they are read
};

/// Euclidean norm of all gradients together; the same for any number of threads.
double gradient_norm(const std::vector<AdamwPart>& parts);

/// Sums of squares of the gradients, of one piece of a part after the other: what gradient_norm adds up.
std::vector<double> gradient_squares(const std::vector<AdamwPart>& parts);

/// Writes parameters, moments and step counts.
void adamw_step(const std::vector<AdamwPart>& parts, const AdamwFactors& factors);

}  // namespace moe
