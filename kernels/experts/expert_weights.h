#pragma once
// The weights of a layer's experts, as the kernels take them.

#include "kernels/experts/gradient_store.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// Stacked weights of E two-layer nets, y = relu(x w1^T + b1) w2^T + b2; or of some of the E experts of a layer, beside
/// offsets of all of them and rows of these alone.
struct ExpertWeights {
  torch::Tensor w1_EFD;
  torch::Tensor b1_EF;
  torch::Tensor w2_EDF;
  torch::Tensor b2_ED;
  /// Where their gradients' memory comes from; undefined: from the allocator, and unused experts' zeros are written.
  c10::intrusive_ptr<GradientStores> gradients = {};
  std::int64_t first = 0;  ///< of the experts whose weights these are

  /// The offsets of these experts' rows, of those [E + 1] of the whole layer.
  std::vector<std::int64_t> own_offsets(const std::vector<std::int64_t>& offsets) const {
    std::vector<std::int64_t> own(offsets.begin() + first, offsets.begin() + first + w1_EFD.size(0) + 1);
    for (std::int64_t& offset : own) offset -= offsets[static_cast<std::size_t>(first)];
    return own;
  }
};

}  // namespace moe
