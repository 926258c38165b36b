#pragma once
// Layer norm, dropout, losses and AdamW on tensors of a GPU, as the CPU's kernels have them: no autograd, all
// contiguous.

#include "kernels/cuda/adamw.h"
#include "kernels/cuda/losses.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

// Legend: N rows, D width, K blocks of norm_block_rows rows, P passes, V vocabulary.

namespace moe::cuda {

/// out: float32 or bfloat16 like x [N, D]; moments_N2: mean and inverse deviation.
void normalise(const torch::Tensor& x, const torch::Tensor& weight_D, const torch::Tensor& bias_D, float epsilon,
               torch::Tensor& out, torch::Tensor& moments_N2);

/// grad_residual may be undefined. partial_K2D: what the gradients of weight and bias are sums of.
void normalise_backward(const torch::Tensor& x, const torch::Tensor& moments_N2, const torch::Tensor& weight_D,
                        const torch::Tensor& grad_normed, const torch::Tensor& grad_residual, torch::Tensor& grad_x,
                        torch::Tensor& partial_K2D);

/// Elements [first, first + count) of residual (may be undefined) + x * mask.
struct DropPart {
  std::int64_t first, count;
  std::uint64_t key;
  std::uint32_t threshold;
  float scale;
};
void drop(const torch::Tensor& residual, const torch::Tensor& x, const DropPart& part, torch::Tensor& out);

/// Losses of logits [P, N, V], whose gradients take their place where asked; losses_3N: smoothed, plain and divergence
/// of each token, float64.
void token_losses(torch::Tensor& logit_PNV, const torch::Tensor& target_N, const LossWeights& weights,
                  bool writes_gradient, torch::Tensor& losses_3N);

/// The sums of the rows of a float64 matrix, each in a fixed order.
torch::Tensor sums_of_rows(const torch::Tensor& values);

/// Rows with elements, whose first_block is filled in.
void adamw_step(std::vector<AdamwRow> rows, const AdamwSharedFactors& factors, const torch::Tensor& like);
/// The Euclidean norm of all gradients, float64 [1]. Only `gradient` and `count` of rows are read.
torch::Tensor gradient_norm(std::vector<AdamwRow> rows, const torch::Tensor& like);

}  // namespace moe::cuda
