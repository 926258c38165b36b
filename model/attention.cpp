#include "model/attention.h"

#include "kernels/affine.h"
#include "kernels/attention.h"
#include "model/initialisation.h"

#include <torch/types.h>

// Legend: B sentences, T positions, S memory positions, D width, H heads, d = D / H, R rows (sentences x beams).

namespace moe {

KeyValue KeyValue::select(const torch::Tensor& index) const {
  return {key.index_select(0, index), value.index_select(0, index)};
}

Attention::Attention(const std::string& name, std::int64_t width, std::int64_t heads, std::uint64_t seed)
    : heads_(heads) {
  input_weight_ = register_parameter(
      "input_weight", uniform_parameter({3 * width, width}, xavier_bound(3 * width, width), seed, name + ".input"));
  input_bias_ = register_parameter("input_bias", torch::zeros({3 * width}));
  output_weight_ = register_parameter(
      "output_weight", uniform_parameter({width, width}, xavier_bound(width, width), seed, name + ".output"));
  output_bias_ = register_parameter("output_bias", torch::zeros({width}));
}

std::vector<torch::Tensor> Attention::split_heads(const torch::Tensor& projected, std::int64_t parts) const {
  const std::int64_t width = projected.size(2) / parts;
  const torch::Tensor heads = projected.view({projected.size(0), projected.size(1), parts, heads_, width / heads_});
  std::vector<torch::Tensor> split;
  for (std::int64_t part = 0; part < parts; ++part) split.push_back(heads.select(2, part).transpose(1, 2));
  return split;
}

torch::Tensor Attention::join_heads(const torch::Tensor& attended_BHTd) {
  return attended_BHTd.transpose(1, 2).flatten(2);
}

torch::Tensor Attention::project_out(const torch::Tensor& attended_BTD) const {
  return affine(attended_BTD, output_weight_, output_bias_);
}

torch::Tensor Attention::self_attention(const torch::Tensor& x_BTD, const torch::Tensor& mask, bool causal) {
  const torch::Tensor projected = affine(x_BTD, input_weight_, input_bias_);
  if (has_attention(projected)) return project_out(moe::self_attention(projected, heads_, mask, causal));
  const auto qkv = split_heads(projected, 3);
  const std::optional<torch::Tensor> optional_mask =
      mask.defined() ? std::optional(mask.to(qkv[0].scalar_type())) : std::nullopt;
  return project_out(join_heads(at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], optional_mask, 0.0, causal)));
}

torch::Tensor Attention::project_query(const torch::Tensor& x_BTD) const {
  const std::int64_t width = x_BTD.size(2);
  return affine(x_BTD, input_weight_.narrow(0, 0, width), input_bias_.narrow(0, 0, width));
}

torch::Tensor Attention::project_memory(const torch::Tensor& memory_BSD) const {
  const std::int64_t width = memory_BSD.size(2);
  return affine(memory_BSD, input_weight_.narrow(0, width, 2 * width), input_bias_.narrow(0, width, 2 * width));
}

KeyValue Attention::memory_key_value(const torch::Tensor& memory_BSD) {
  const auto kv = split_heads(project_memory(memory_BSD), 2);
  return {kv[0], kv[1]};
}

torch::Tensor Attention::cross_attention(const torch::Tensor& x_BTD, const torch::Tensor& memory_BSD,
                                         const torch::Tensor& mask) {
  const torch::Tensor query = project_query(x_BTD);
  if (!has_attention(query)) return cross_attention(x_BTD, memory_key_value(memory_BSD), mask);
  return project_out(moe::cross_attention(query, project_memory(memory_BSD), heads_, mask));
}

torch::Tensor Attention::cross_attention(const torch::Tensor& x_BTD, const KeyValue& memory,
                                         const torch::Tensor& mask) {
  const torch::Tensor query = split_heads(project_query(x_BTD), 1)[0];
  const std::optional<torch::Tensor> optional_mask =
      mask.defined() ? std::optional(mask.to(query.scalar_type())) : std::nullopt;
  return project_out(join_heads(at::scaled_dot_product_attention(query, memory.key, memory.value, optional_mask)));
}

torch::Tensor Attention::self_attention_step(const torch::Tensor& x_RD, KeyValue& cache, std::int64_t position) {
  const auto qkv = split_heads(affine(x_RD, input_weight_, input_bias_).unsqueeze(1), 3);
  cache.key.narrow(2, position, 1).copy_(qkv[1]);
  cache.value.narrow(2, position, 1).copy_(qkv[2]);
  const torch::Tensor attended = at::scaled_dot_product_attention(qkv[0], cache.key.narrow(2, 0, position + 1),
                                                                  cache.value.narrow(2, 0, position + 1));
  return project_out(join_heads(attended)).squeeze(1);
}

}  // namespace moe
