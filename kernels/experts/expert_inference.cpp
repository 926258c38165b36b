#include "kernels/experts/expert_inference.h"

#include "kernels/experts/active_experts.h"
#include "kernels/experts/expert_rows.h"
#include "kernels/experts/one_expert.h"
#include "kernels/gemm/linear.h"
#include "kernels/simd/scalar_type.h"
#include "kernels/simd/workspace.h"

#include <torch/types.h>

#include <algorithm>

// Legend: T rows of x, M assignments, E experts, D width, F hidden width.

namespace moe {
namespace {

using torch::Tensor;

// Of a block, whose hidden states stay in the caches.
constexpr std::int64_t intra_expert_rows = 2048;
constexpr std::int64_t hidden_bytes_of_one = std::int64_t{1} << 21;

/// True when no row has two assignments.
bool are_distinct(const std::int64_t* token, std::int64_t assignments, std::int64_t rows) {
  std::vector<bool> seen(static_cast<std::size_t>(rows), false);
  for (std::int64_t m = 0; m < assignments; ++m) {
    if (seen[static_cast<std::size_t>(token[m])]) return false;
    seen[static_cast<std::size_t>(token[m])] = true;
  }
  return true;
}

template <class Scalar>
class Inference {
 public:
  Inference(const Tensor& x_TD, const Tensor& token_M, const Tensor& weight_M, const ExpertWeights& weights)
      : x_TD_(x_TD.contiguous()),
        token_M_(token_M),
        weight_M_(weight_M.defined() ? weight_M.to(x_TD.scalar_type()).contiguous() : weight_M),
        weights_(weights),
        token_(data_or_null<const std::int64_t>(token_M)),
        places_(token_ != nullptr && are_distinct(token_, token_M.size(0), x_TD.size(0))) {
    const std::int64_t rows = token_ == nullptr || places_ ? x_TD.size(0) : token_M.size(0);
    const bool leaves_rows_out = places_ && token_M.size(0) < rows;
    out_ =
        leaves_rows_out ? torch::zeros({rows, width_}, x_TD.options()) : torch::empty({rows, width_}, x_TD.options());
  }

  Tensor run(const std::vector<std::int64_t>& offsets) {
    const ActiveExperts active_experts(offsets, weights_);
    const std::vector<ActiveExpert> blocks = split_experts(active_experts.intra_expert, intra_expert_rows);
    make_workspace(blocks);
    for (const ActiveExpert& block : blocks) compute_intra_expert(block);
    const std::int64_t row_bytes = hidden_width_ * static_cast<std::int64_t>(sizeof(Scalar));
    for_each_dynamic(
        split_experts(active_experts.inter_expert, std::max<std::int64_t>(hidden_bytes_of_one / row_bytes, 1)),
        [&](const ActiveExpert& block) { compute_inter_expert(block); });
    return token_ == nullptr || places_ ? out_ : unpermute_rows(out_, token_M_, weight_M_, x_TD_.size(0));
  }

 private:
  void make_workspace(const std::vector<ActiveExpert>& blocks) {
    const std::int64_t most = blocks.empty() ? 0 : blocks.front().assignments;
    hidden_ = torch::empty({most, hidden_width_}, x_TD_.options());
    if (token_ != nullptr) gathered_ = torch::empty({most, width_}, x_TD_.options());
    if (places_) result_ = torch::empty({most, width_}, x_TD_.options());
  }

  void gather(const ActiveExpert& block, Scalar* to) const {
    permute_rows(x_TD_.const_data_ptr<Scalar>(), token_ + block.first, block.assignments, width_, to);
  }

  void place(const ActiveExpert& block, const Scalar* y) {
    const auto* weight = data_or_null<const Scalar>(weight_M_);
    scatter_rows(y, weight == nullptr ? nullptr : weight + block.first, token_ + block.first, block.assignments, width_,
                 out_.mutable_data_ptr<Scalar>());
  }

  void compute_intra_expert(const ActiveExpert& block) {
    const auto& [e, first, assignments] = block;
    Tensor x = token_ == nullptr ? x_TD_.narrow(0, first, assignments) : gathered_.narrow(0, 0, assignments);
    Tensor hidden = hidden_.narrow(0, 0, assignments);
    Tensor y = places_ ? result_.narrow(0, 0, assignments) : out_.narrow(0, first, assignments);
    if (token_ != nullptr) gather(block, x.mutable_data_ptr<Scalar>());
    gemm_out(hidden, x, weights_.w1_EFD[e].t(), weights_.b1_EF[e], /*relu=*/true);
    gemm_out(y, hidden, weights_.w2_EDF[e].t(), weights_.b2_ED[e]);
    if (places_) place(block, y.const_data_ptr<Scalar>());
  }

  /// In the calling thread, and without LibTorch.
  void compute_inter_expert(const ActiveExpert& block) {
    const auto& [e, first, assignments] = block;
    const std::int64_t D = width_, F = hidden_width_;
    thread_local Workspace workspace;
    auto* gathered = reinterpret_cast<Scalar*>(workspace.reserve(2 * assignments * D));
    if (token_ != nullptr) gather(block, gathered);
    Scalar* y = places_ ? gathered + assignments * D : out_.mutable_data_ptr<Scalar>() + first * D;
    one_expert_forward<Scalar>({.rows = assignments,
                                .width = D,
                                .hidden_width = F,
                                .x = token_ == nullptr ? x_TD_.const_data_ptr<Scalar>() + first * D : gathered,
                                .w1 = weights_.w1_EFD.const_data_ptr<Scalar>() + e * D * F,
                                .w2 = weights_.w2_EDF.const_data_ptr<Scalar>() + e * D * F},
                               weights_.b1_EF.const_data_ptr<Scalar>() + e * F,
                               weights_.b2_ED.const_data_ptr<Scalar>() + e * D, y);
    if (places_) place(block, y);
  }

  Tensor x_TD_, token_M_, weight_M_;
  const ExpertWeights& weights_;
  std::int64_t width_ = weights_.w1_EFD.size(2), hidden_width_ = weights_.w1_EFD.size(1);
  const std::int64_t* token_;  ///< null when assignment m is row m
  bool places_;                ///< results go straight to their rows
  Tensor out_;                 ///< [T, D], or [M, D] where rows have several assignments
  Tensor hidden_, gathered_, result_;
};

}  // namespace

Tensor expert_inference(const Tensor& x_TD, const Tensor& token_M, const Tensor& weight_M,
                        const std::vector<std::int64_t>& expert_offsets, const ExpertWeights& weights) {
  Tensor out_TD;
  with_type_of(x_TD, [&](auto scalar) {
    out_TD = Inference<decltype(scalar)>(x_TD, token_M, weight_M, weights).run(expert_offsets);
  });
  return out_TD;
}

}  // namespace moe
