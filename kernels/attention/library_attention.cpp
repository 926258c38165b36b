#include "kernels/attention/library_attention.h"

#include <torch/types.h>

#include <optional>
#include <vector>

// Legend: B sentences, T positions, D width, H heads, d = D / H.

namespace moe {
namespace {

/// [B, T, parts * D] to as many tensors [B, H, T, d].
std::vector<torch::Tensor> split_heads(const torch::Tensor& projected, std::int64_t parts, std::int64_t heads) {
  const std::int64_t width = projected.size(2) / parts;
  const torch::Tensor split = projected.view({projected.size(0), projected.size(1), parts, heads, width / heads});
  std::vector<torch::Tensor> tensors;
  for (std::int64_t part = 0; part < parts; ++part) tensors.push_back(split.select(2, part).transpose(1, 2));
  return tensors;
}

/// [B, T, D].
torch::Tensor attend(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                     const torch::Tensor& mask, bool causal) {
  const std::optional<torch::Tensor> optional_mask =
      mask.defined() ? std::optional(mask.to(query.scalar_type())) : std::nullopt;
  return at::scaled_dot_product_attention(query, key, value, optional_mask, 0.0, causal).transpose(1, 2).flatten(2);
}

}  // namespace

torch::Tensor library_self_attention(const torch::Tensor& qkv, std::int64_t heads, const torch::Tensor& mask,
                                     bool causal) {
  const auto split = split_heads(qkv, 3, heads);
  return attend(split[0], split[1], split[2], mask, causal);
}

torch::Tensor library_cross_attention(const torch::Tensor& query, const torch::Tensor& key_value, std::int64_t heads,
                                      const torch::Tensor& mask) {
  const auto memory = split_heads(key_value, 2, heads);
  return attend(split_heads(query, 1, heads)[0], memory[0], memory[1], mask, /*causal=*/false);
}

}  // namespace moe
