#pragma once
// The weights of a layer's experts, as the kernels take them.

#include "kernels/experts/gradient_store.h"

#include <torch/types.h>

namespace moe {

/// Stacked weights of E two-layer nets, y = relu(x w1^T + b1) w2^T + b2.
struct ExpertWeights {
  torch::Tensor w1_EFD;
  torch::Tensor b1_EF;
  torch::Tensor w2_EDF;
  torch::Tensor b2_ED;
  /// Where their gradients' memory comes from; undefined: from the allocator, and unused experts' zeros are written.
  c10::intrusive_ptr<GradientStores> gradients = {};
};

}  // namespace moe
