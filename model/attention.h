#pragma once
// Multi-head attention of the shared Transformer, whole sequences and one step at a time.

#include <torch/nn/module.h>

#include <cstdint>
#include <string>

namespace moe {

/// Keys and values that later queries attend to, [B, H, S, D / H] each.
struct KeyValue {
  torch::Tensor key;
  torch::Tensor value;

  /// The rows `index` along the batch.
  KeyValue select(const torch::Tensor& index) const;
};

/// Attention over `width` = heads * head width, with biases; queries, keys and values are Xavier uniform as one stacked
/// map, the output as a map of its own.
class Attention : public torch::nn::Module {
 public:
  /// `name` keys the initial values.
  Attention(const std::string& name, std::int64_t width, std::int64_t heads, std::uint64_t seed);

  /// Self-attention of whole sequences. x_BTD: [B, T, D]; mask: float [B, 1, 1, T], 0 or -inf, or undefined for none.
  torch::Tensor self_attention(const torch::Tensor& x_BTD, const torch::Tensor& mask, bool causal);

  /// Keys and values of a memory [B, S, D], for cross_attention.
  KeyValue memory_key_value(const torch::Tensor& memory_BSD);

  /// Queries of x_BTD [B, T, D] over a memory [B, S, D]; mask as above, over S.
  torch::Tensor cross_attention(const torch::Tensor& x_BTD, const torch::Tensor& memory_BSD, const torch::Tensor& mask);
  /// The same over keys and values that are there already.
  torch::Tensor cross_attention(const torch::Tensor& x_BTD, const KeyValue& memory, const torch::Tensor& mask);

  /// Self-attention of the newest position. x_RD: [R, D]; the cache holds room for all positions ([R, H, room, D / H]);
  /// this position's keys and values are written to it at `position`.
  torch::Tensor self_attention_step(const torch::Tensor& x_RD, KeyValue& cache, std::int64_t position);

  std::int64_t heads() const { return heads_; }

 private:
  /// [B, T, n * D] to n tensors [B, H, T, D / H].
  std::vector<torch::Tensor> split_heads(const torch::Tensor& projected, std::int64_t parts) const;
  /// [B, H, T, D / H] to [B, T, D].
  static torch::Tensor join_heads(const torch::Tensor& attended_BHTd);
  torch::Tensor project_query(const torch::Tensor& x_BTD) const;
  /// Keys and values side by side, [B, S, 2 D].
  torch::Tensor project_memory(const torch::Tensor& memory_BSD) const;
  torch::Tensor project_out(const torch::Tensor& attended_BTD) const;

  std::int64_t heads_;
  torch::Tensor input_weight_, input_bias_;    ///< [3 D, D], [3 D]: queries, keys, values
  torch::Tensor output_weight_, output_bias_;  ///< [D, D], [D]
};

}  // namespace moe
