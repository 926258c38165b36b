#pragma once
// Scaled dot-product attention of whole, short sequences. Ours reads the projections as they lie: heads are neither
// split off nor copied, masks not spread out, and the scores of a head stay in the cache. LibTorch's takes what ours
// does not serve.

#include <torch/types.h>

namespace moe {

/// Whether the two below compute by our kernel: float32 or bfloat16, on a processor with AVX2.
bool has_own_attention(const torch::Tensor& projected);

/// softmax(q k^T / sqrt(d) + mask) v of each head, with gradients. qkv: contiguous [B, T, 3 D], queries, keys and
/// values of all heads side by side, D = heads * d; mask: float [B, 1, 1, T], 0 or -inf, or undefined; `causal`: a
/// position sees none after it. A query that sees nothing gets 0. bfloat16 is computed in float32, but where
/// the processor multiplies pairs of bfloat16 (kernels/gemm/select.h): there probabilities and gradients of scores are
/// rounded first, as in LibTorch's attention. Result: contiguous [B, T, D]. For the backward pass two numbers a query
/// are kept (Dao et al. 2022, arXiv 2205.14135, section 3).
torch::Tensor self_attention(const torch::Tensor& qkv, std::int64_t heads, const torch::Tensor& mask, bool causal);

/// The same with queries [B, T, D] over keys and values [B, S, 2 D] of a memory; mask: [B, 1, 1, S].
torch::Tensor cross_attention(const torch::Tensor& query, const torch::Tensor& key_value, std::int64_t heads,
                              const torch::Tensor& mask);

}  // namespace moe
