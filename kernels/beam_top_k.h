#pragma once
// The best continuations of a beam search, straight from logits: no table of log-probabilities, no sorting of it.

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

struct BeamTopK {
  torch::Tensor score_BN;  ///< float32 on the CPU, falling
  torch::Tensor index_BN;  ///< int64 on the CPU: beam * V + id
};

/// For each of B sentences the `count` best of its K beams' continuations by any id: the beam's score plus the
/// log-softmax of its logits; equal scores by rising index. logit_RV: float32 [B K, V]; score_R: the beams', B K of
/// them; `never`: ids that score -infinity. Where a logit of a sentence is NaN or +infinity, its first score is NaN.
BeamTopK beam_top_k(const torch::Tensor& logit_RV, const std::vector<float>& score_R, std::int64_t beams,
                    std::int64_t count, const std::vector<std::int64_t>& never);

}  // namespace moe
