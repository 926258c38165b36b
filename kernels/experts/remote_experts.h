#pragma once
// The experts of an MoE layer where others compute their products: other ranks, for example.

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// Who computes y = expert(x) for rows [M, D] that are sorted by expert; offsets: E + 1 numbers.
class RemoteExperts : public torch::CustomClassHolder {
 public:
  struct Answer {
    torch::Tensor y_MD;
    std::int64_t call = -1;  ///< for `backward`
  };
  /// `keep`: backward will be called.
  virtual Answer forward(const torch::Tensor& x_MD, const std::vector<std::int64_t>& offsets, bool keep) = 0;
  /// The gradient of x_MD of an earlier call. Whoever has the weights keeps their gradients.
  virtual torch::Tensor backward(std::int64_t call, const torch::Tensor& grad_y_MD,
                                 const std::vector<std::int64_t>& offsets) = 0;
};

/// As expert_ffn(x_TD, token_M, weight_M, expert_offsets, weights) of the experts' weights, to the bit. The gradient
/// reaches them only when x_TD needs one.
torch::Tensor expert_ffn(const torch::Tensor& x_TD, const torch::Tensor& token_M, const torch::Tensor& weight_M,
                         const std::vector<std::int64_t>& expert_offsets,
                         const c10::intrusive_ptr<RemoteExperts>& experts);

}  // namespace moe
