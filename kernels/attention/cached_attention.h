#pragma once
// Self-attention of the newest position of many rows, over keys and values that stay where they were written: a beam
// that goes on from another one says where its positions lie instead of copying them.

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// softmax(q k^T / sqrt(d)) v of each head. query_RD: [R, D], its rows any distance apart; key_CPD and value_CPD:
/// contiguous [C, P, D] with D = heads * d; origin_RP: contiguous int64 [R, P], the first `positions` of row r lie in
/// rows origin[r][p] of the cache, at position p. Result: contiguous [R, D]. No gradients.
torch::Tensor cached_attention(const torch::Tensor& query_RD, const torch::Tensor& key_CPD,
                               const torch::Tensor& value_CPD, const torch::Tensor& origin_RP, std::int64_t positions,
                               std::int64_t heads);

}  // namespace moe
