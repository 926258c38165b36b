#pragma once
// Experts over a routing plan on tensors of a GPU, as kernels/experts has them: no autograd, all contiguous. Nothing
// here reads from the device.

#include <torch/types.h>

#include <cstdint>
#include <vector>

// Legend: T rows, M assignments, E experts, D width, F hidden width.

namespace moe::cuda {

/// As unpermute_rows and unpermute_rows_backward (kernels/experts/expert_rows.h). weight_M: undefined, or of y's type.
torch::Tensor combine_rows(const torch::Tensor& y_MD, const torch::Tensor& token_M, const torch::Tensor& weight_M,
                           std::int64_t rows);
struct SpreadGradients {
  torch::Tensor y_MD, weight_M;  ///< the second: float32, undefined unless y was given
};
SpreadGradients spread_rows(const torch::Tensor& grad_TD, const torch::Tensor& token_M, const torch::Tensor& weight_M,
                            const torch::Tensor& y_MD);

/// Which products all experts of a layer share.
enum class GroupedProduct {
  none,         ///< one after the other, by LibTorch
  ours_fp32,    ///< kernels/cuda/grouped_gemm.h
  library_bf16  ///< at::_grouped_mm
};
/// Whether at::_grouped_mm has a grouped product for bfloat16 on this GPU: sm_90 and sm_100. On others it reads the
/// offsets back and multiplies one after the other, and says nothing.
bool has_grouped_bf16(torch::Device device);
GroupedProduct grouped_product(const torch::Tensor& x_MD, const torch::Tensor& w1_EFD);

/// A layer's rows, sorted by expert, and its weights. offsets: E + 1 numbers.
struct GroupedExperts {
  torch::Tensor x_MD, w1_EFD, b1_EF, w2_EDF, b2_ED;
  const std::vector<std::int64_t>& offsets;
};
/// y = relu(x w1^T + b1) w2^T + b2 for all experts by grouped_product, which is not none. hidden_MF keeps the relu's
/// result. Both are written, or replaced by others.
void grouped_forward(const GroupedExperts& experts, torch::Tensor& hidden_MF, torch::Tensor& y_MD);

struct GroupedGradients {
  torch::Tensor x_MD, w1_EFD, b1_EF, w2_EDF, b2_ED;  ///< to be written, or replaced by others
};
void grouped_backward(const GroupedExperts& experts, const torch::Tensor& hidden_MF, const torch::Tensor& grad_y_MD,
                      GroupedGradients& gradients);

}  // namespace moe::cuda
