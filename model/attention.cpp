#include "model/attention.h"

#include "kernels/attention/attention.h"
#include "kernels/attention/cached_attention.h"
#include "kernels/gemm/linear.h"
#include "model/initialisation.h"

#include <torch/types.h>

// Legend: B sentences, T positions, S memory positions, D width, R rows (sentences x beams).

namespace moe {

Attention::Attention(const std::string& name, std::int64_t width, std::int64_t heads, std::uint64_t seed)
    : heads_(heads) {
  input_weight_ = register_parameter(
      "input_weight", uniform_parameter({3 * width, width}, xavier_bound(3 * width, width), seed, name + ".input"));
  input_bias_ = register_parameter("input_bias", torch::zeros({3 * width}));
  output_weight_ = register_parameter(
      "output_weight", uniform_parameter({width, width}, xavier_bound(width, width), seed, name + ".output"));
  output_bias_ = register_parameter("output_bias", torch::zeros({width}));
}

torch::Tensor Attention::project_out(const torch::Tensor& attended_BTD) const {
  return fused_linear(attended_BTD, output_weight_, output_bias_);
}

torch::Tensor Attention::self_attention(const torch::Tensor& x_BTD, const torch::Tensor& mask, bool causal) {
  return project_out(moe::self_attention(fused_linear(x_BTD, input_weight_, input_bias_), heads_, mask, causal));
}

torch::Tensor Attention::project_query(const torch::Tensor& x_BTD) const {
  const std::int64_t width = x_BTD.size(2);
  return fused_linear(x_BTD, input_weight_.narrow(0, 0, width), input_bias_.narrow(0, 0, width));
}

torch::Tensor Attention::project_memory(const torch::Tensor& memory_BSD) const {
  const std::int64_t width = memory_BSD.size(2);
  return fused_linear(memory_BSD, input_weight_.narrow(0, width, 2 * width), input_bias_.narrow(0, width, 2 * width));
}

torch::Tensor Attention::cross_attention(const torch::Tensor& x_BTD, const torch::Tensor& key_value_BS2D,
                                         const torch::Tensor& mask) const {
  return project_out(moe::cross_attention(project_query(x_BTD), key_value_BS2D, heads_, mask));
}

torch::Tensor Attention::attend_memory(const torch::Tensor& x_BTD, const torch::Tensor& memory_BSD,
                                       const torch::Tensor& mask) const {
  // Split once: two slices would have their gradients filled up with zeros and added.
  const std::int64_t width = x_BTD.size(2);
  const auto weight = input_weight_.split_with_sizes({width, 2 * width});
  const auto bias = input_bias_.split_with_sizes({width, 2 * width});
  const torch::Tensor query_BTD = fused_linear(x_BTD, weight[0], bias[0]);
  return project_out(moe::cross_attention(query_BTD, fused_linear(memory_BSD, weight[1], bias[1]), heads_, mask));
}

torch::Tensor Attention::self_attention_step(const torch::Tensor& x_RD, KvCache& cache, const torch::Tensor& origin_RP,
                                             std::int64_t position) {
  const auto qkv = fused_linear(x_RD, input_weight_, input_bias_).chunk(3, 1);
  const std::int64_t rows = x_RD.size(0);
  cache.key.narrow(0, 0, rows).select(1, position).copy_(qkv[1]);
  cache.value.narrow(0, 0, rows).select(1, position).copy_(qkv[2]);
  return project_out(cached_attention(qkv[0], cache.key, cache.value, origin_RP, position + 1, heads_));
}

}  // namespace moe
