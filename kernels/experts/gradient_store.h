#pragma once
// Memory for the gradients of stacked experts that lasts from step to step, so that experts without tokens cost
// nothing: their zeros are still there.

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// For the gradient of one stacked weight. Not for two threads at once.
class GradientStore {
 public:
  /// A tensor like the weight [E, ...] whose slices of unused experts are 0 and whose others are to be written. Its
  /// memory is used again once nobody else holds it. Whoever adds to a gradient must not do it in memory that others
  /// hold, as autograd does not.
  torch::Tensor take(const torch::Tensor& weight, const std::vector<std::int64_t>& expert_offsets);

 private:
  torch::Storage memory_;
  std::vector<bool> is_written_;  ///< per expert: its slice may hold something else than 0
};

/// For the four weights of a layer's experts, as autograd's context can hold it.
struct GradientStores : torch::CustomClassHolder {
  GradientStore w1, b1, w2, b2;
};

}  // namespace moe
