#pragma once
// Multi-head attention of the shared Transformer, whole sequences and one step at a time.

#include <torch/nn/module.h>

#include <cstdint>
#include <string>

namespace moe {

/// Keys and values of decoding step by step, [C, P, D] each: C rows with room for P positions.
struct KvCache {
  torch::Tensor key;
  torch::Tensor value;
};

/// Attention over `width` = heads * head width, with biases; queries, keys and values are Xavier uniform as one stacked
/// map, the output as a map of its own.
class Attention : public torch::nn::Module {
 public:
  /// `name` keys the initial values.
  Attention(const std::string& name, std::int64_t width, std::int64_t heads, std::uint64_t seed);

  /// Self-attention of whole sequences. x_BTD: [B, T, D]; mask: float [B, 1, 1, T], 0 or -inf, or undefined for none.
  torch::Tensor self_attention(const torch::Tensor& x_BTD, const torch::Tensor& mask, bool causal);

  /// Keys and values of a memory [B, S, D] side by side, [B, S, 2 D], for cross_attention.
  torch::Tensor project_memory(const torch::Tensor& memory_BSD) const;

  /// Queries of x_BTD [B, T, D] over a memory's keys and values; mask as above, over S.
  torch::Tensor cross_attention(const torch::Tensor& x_BTD, const torch::Tensor& key_value_BS2D,
                                const torch::Tensor& mask) const;

  /// The same of a memory [B, S, D] that is projected for this call alone, as in training.
  torch::Tensor attend_memory(const torch::Tensor& x_BTD, const torch::Tensor& memory_BSD,
                              const torch::Tensor& mask) const;

  /// Self-attention of the newest position. x_RD: [R, D]. This position's keys and values are written to the first R
  /// rows of the cache at `position`; where the earlier positions lie, origin_RP tells
  /// (kernels/attention/cached_attention.h).
  torch::Tensor self_attention_step(const torch::Tensor& x_RD, KvCache& cache, const torch::Tensor& origin_RP,
                                    std::int64_t position);

  std::int64_t heads() const { return heads_; }

 private:
  torch::Tensor project_query(const torch::Tensor& x_BTD) const;
  torch::Tensor project_out(const torch::Tensor& attended_BTD) const;

  std::int64_t heads_;
  torch::Tensor input_weight_, input_bias_;    ///< [3 D, D], [3 D]: queries, keys, values
  torch::Tensor output_weight_, output_bias_;  ///< [D, D], [D]
};

}  // namespace moe
