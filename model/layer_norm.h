#pragma once
// The layer norms of the shared Transformer.

#include "kernels/layer_norm.h"

#include <torch/nn/module.h>

#include <cstdint>

namespace moe {

/// Normalises the last dimension, of `width`, with a weight that starts at 1 and a bias that starts at 0.
class LayerNorm : public torch::nn::Module {
 public:
  explicit LayerNorm(std::int64_t width)
      : weight_(register_parameter("weight", torch::ones({width}))),
        bias_(register_parameter("bias", torch::zeros({width}))) {}

  torch::Tensor forward(const torch::Tensor& x) const { return branch(x, x.scalar_type()).normed; }
  /// For a sublayer that reads the norm of a stream, as `dtype`, and adds to the stream.
  NormedBranch branch(const torch::Tensor& x, torch::Dtype dtype) const {
    return normed_branch(x, weight_, bias_, epsilon, dtype);
  }

 private:
  static constexpr double epsilon = 1e-5;

  torch::Tensor weight_, bias_;  ///< [width]
};

}  // namespace moe
