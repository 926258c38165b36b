#include "kernels/experts/expert_ffn.h"

#include "kernels/cuda/expert_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/experts/active_experts.h"
#include "kernels/experts/expert_inference.h"
#include "kernels/experts/expert_rows.h"
#include "kernels/experts/one_expert.h"
#include "kernels/gemm/linear.h"
#include "kernels/simd/scalar_type.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

// Legend: T rows of x, M assignments, E experts, D width, F hidden width.
//
// An expert's rows are a slice of preallocated buffers. Where our products exist, a thread computes an expert
// (kernels/experts/one_expert.h), else, and for one that the others would wait for, all threads share each product.
// Unused experts cost nothing. bench/ measures it beside at::_grouped_mm.

namespace moe {
namespace {

using torch::Tensor;

/// Each expert in buffers of all assignments.
template <class Scalar>
class OneOfAll {
 public:
  OneOfAll(const Tensor& x_MD, const Tensor& w1_EFD, const Tensor& w2_EDF, const Tensor& hidden_MF)
      : first_{.width = w1_EFD.size(2),
               .hidden_width = w1_EFD.size(1),
               .x = x_MD.const_data_ptr<Scalar>(),
               .w1 = w1_EFD.const_data_ptr<Scalar>(),
               .w2 = w2_EDF.const_data_ptr<Scalar>(),
               .hidden = hidden_MF.mutable_data_ptr<Scalar>()} {}

  OneExpert<Scalar> of(const ActiveExpert& used) const {
    OneExpert<Scalar> rows = first_;
    rows.rows = used.assignments;
    rows.x += used.first * rows.width;
    rows.w1 += used.expert * rows.width * rows.hidden_width;
    rows.w2 += used.expert * rows.width * rows.hidden_width;
    rows.hidden += used.first * rows.hidden_width;
    return rows;
  }

 private:
  OneExpert<Scalar> first_;
};

/// True when assignment m is row m: nothing is to be gathered or scattered.
bool is_identity(const Tensor& token_M, std::int64_t rows) {
  if (!token_M.defined()) return true;
  if (token_M.size(0) != rows || !token_M.is_cpu()) return false;
  const auto* token = token_M.const_data_ptr<std::int64_t>();
  for (std::int64_t m = 0; m < rows; ++m) {
    if (token[m] != m) return false;
  }
  return true;
}

/// Whether a GPU computes all experts in one launch.
bool is_grouped(const Tensor& x_MD, const Tensor& w1_EFD) {
  if constexpr (cuda::is_built) return cuda::grouped_product(x_MD, w1_EFD) != cuda::GroupedProduct::none;
  return false;
}

/// Of gathered rows; their hidden states are left in hidden_MF.
Tensor apply_experts(const Tensor& x_MD, const ExpertWeights& weights, const std::vector<std::int64_t>& offsets,
                     Tensor& hidden_MF) {
  const std::int64_t D = weights.w1_EFD.size(2), F = weights.w1_EFD.size(1);
  Tensor y_MD = torch::empty_like(x_MD);
  if constexpr (cuda::is_built) {
    if (is_grouped(x_MD, weights.w1_EFD)) {
      cuda::grouped_forward({x_MD, weights.w1_EFD, weights.b1_EF, weights.w2_EDF, weights.b2_ED, offsets}, hidden_MF,
                            y_MD);
      return y_MD;
    }
  }
  const ActiveExperts active_experts(offsets, weights);
  for (const auto& [e, first, assignments] : active_experts.intra_expert) {
    Tensor hidden = hidden_MF.narrow(0, first, assignments), y = y_MD.narrow(0, first, assignments);
    gemm_out(hidden, x_MD.narrow(0, first, assignments), weights.w1_EFD[e].t(), weights.b1_EF[e], /*relu=*/true);
    gemm_out(y, hidden, weights.w2_EDF[e].t(), weights.b2_ED[e]);
  }
  if (active_experts.inter_expert.empty()) return y_MD;
  with_type_of(x_MD, [&](auto scalar) {
    using Scalar = decltype(scalar);
    const OneOfAll<Scalar> rows(x_MD, weights.w1_EFD, weights.w2_EDF, hidden_MF);
    const auto *b1 = weights.b1_EF.const_data_ptr<Scalar>(), *b2 = weights.b2_ED.const_data_ptr<Scalar>();
    auto* y = y_MD.data_ptr<Scalar>();
    for_each_dynamic(active_experts.inter_expert, [&](const ActiveExpert& used) {
      one_expert_forward(rows.of(used), b1 + used.expert * F, b2 + used.expert * D, y + used.first * D);
    });
  });
  return y_MD;
}

/// What the experts' gradients are computed from: rows sorted by expert.
struct BackwardInput {
  const Tensor &x_MD, &hidden_MF, &grad_y_MD, &w1_EFD, &w2_EDF;
};
using ExpertGradients = cuda::GroupedGradients;  // of any device

/// One expert after the other, whose products all threads share.
void backward_intra_expert(const BackwardInput& in, const std::vector<ActiveExpert>& experts, Tensor& grad_hidden_MF,
                           ExpertGradients& grad) {
  for (const auto& [e, first, assignments] : experts) {
    const Tensor grad_y = in.grad_y_MD.narrow(0, first, assignments);
    const Tensor hidden = in.hidden_MF.narrow(0, first, assignments);
    Tensor grad_hidden = grad_hidden_MF.narrow(0, first, assignments);
    Tensor grad_w1 = grad.w1_EFD[e], grad_b1 = grad.b1_EF[e], grad_w2 = grad.w2_EDF[e], grad_b2 = grad.b2_ED[e];
    Tensor grad_x = grad.x_MD.narrow(0, first, assignments);
    gemm_out(grad_w2, grad_y.t(), hidden);
    at::sum_out(grad_b2, grad_y, 0);
    gemm_out(grad_hidden, grad_y, in.w2_EDF[e]);
    relu_backward_(grad_hidden, hidden, grad_b1);
    gemm_out(grad_w1, grad_hidden.t(), in.x_MD.narrow(0, first, assignments));
    gemm_out(grad_x, grad_hidden, in.w1_EFD[e]);
  }
}

/// Each expert in one thread.
template <class Scalar>
void backward_inter_expert(const BackwardInput& in, const std::vector<ActiveExpert>& experts, Tensor& grad_hidden_MF,
                           ExpertGradients& grad) {
  const OneOfAll<Scalar> rows(in.x_MD, in.w1_EFD, in.w2_EDF, in.hidden_MF);
  const std::int64_t D = in.w1_EFD.size(2), F = in.w1_EFD.size(1);
  const OneExpertGradients<Scalar> all{.x = grad.x_MD.data_ptr<Scalar>(),
                                       .w1 = grad.w1_EFD.data_ptr<Scalar>(),
                                       .b1 = grad.b1_EF.data_ptr<Scalar>(),
                                       .w2 = grad.w2_EDF.data_ptr<Scalar>(),
                                       .b2 = grad.b2_ED.data_ptr<Scalar>(),
                                       .hidden = grad_hidden_MF.data_ptr<Scalar>()};
  const auto* grad_y = in.grad_y_MD.const_data_ptr<Scalar>();
  for_each_dynamic(experts, [&](const ActiveExpert& used) {
    const auto& [e, first, assignments] = used;
    one_expert_backward<Scalar>(rows.of(used), grad_y + first * D,
                                {.x = all.x + first * D,
                                 .w1 = all.w1 + e * F * D,
                                 .b1 = all.b1 + e * F,
                                 .w2 = all.w2 + e * D * F,
                                 .b2 = all.b2 + e * D,
                                 .hidden = all.hidden + first * F});
  });
}

void backward_experts(const BackwardInput& in, const std::vector<std::int64_t>& offsets, const ExpertWeights& weights,
                      ExpertGradients& grad) {
  if constexpr (cuda::is_built) {
    if (is_grouped(in.x_MD, in.w1_EFD)) {
      cuda::grouped_backward({in.x_MD, in.w1_EFD, weights.b1_EF, in.w2_EDF, weights.b2_ED, offsets}, in.hidden_MF,
                             in.grad_y_MD, grad);
      return;
    }
  }
  Tensor grad_hidden_MF = torch::empty_like(in.hidden_MF);
  const ActiveExperts active_experts(offsets, weights);
  backward_intra_expert(in, active_experts.intra_expert, grad_hidden_MF, grad);
  if (active_experts.inter_expert.empty()) return;
  with_type_of(in.x_MD, [&](auto scalar) {
    backward_inter_expert<decltype(scalar)>(in, active_experts.inter_expert, grad_hidden_MF, grad);
  });
}

class ExpertFfnFunction : public torch::autograd::Function<ExpertFfnFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x_TD,
                        const std::optional<Tensor>& optional_weight_M, const Tensor& w1_EFD, const Tensor& b1_EF,
                        const Tensor& w2_EDF, const Tensor& b2_ED, const std::optional<Tensor>& optional_token_M,
                        const std::vector<std::int64_t>& offsets, const c10::intrusive_ptr<GradientStores>& gradients,
                        std::int64_t first_expert) {
    const Tensor weight_M = optional_weight_M.value_or(Tensor());
    Tensor token_M = optional_token_M.value_or(Tensor());
    const bool identity = !weight_M.defined() && is_identity(token_M, x_TD.size(0));
    if (identity) token_M.reset();
    const Tensor x_MD = identity ? x_TD : x_TD.index_select(0, token_M);
    Tensor hidden_MF = torch::empty({x_MD.size(0), w1_EFD.size(1)}, x_TD.options());
    const Tensor y_MD =
        apply_experts(x_MD, {w1_EFD, b1_EF, w2_EDF, b2_ED, gradients, first_expert}, offsets, hidden_MF);
    const bool weight_needs_gradient = weight_M.defined() && weight_M.requires_grad();
    context->save_for_backward(
        {x_MD, hidden_MF, weight_needs_gradient ? y_MD : Tensor(), weight_M, w1_EFD, w2_EDF, token_M, b1_EF, b2_ED});
    context->saved_data["offsets"] = offsets;
    context->saved_data["gradients"] = c10::IValue::make_capsule(gradients);
    context->saved_data["rows"] = x_TD.size(0);
    context->saved_data["first_expert"] = first_expert;
    return identity ? y_MD : unpermute_rows(y_MD, token_M, weight_M, x_TD.size(0));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const auto saved = context->get_saved_variables();
    const Tensor& x_MD = saved[0];
    const Tensor& hidden_MF = saved[1];
    const Tensor& y_MD = saved[2];
    const Tensor& weight_M = saved[3];
    const Tensor& w1_EFD = saved[4];
    const Tensor& w2_EDF = saved[5];
    const Tensor& token_M = saved[6];
    const Tensor &b1_EF = saved[7], &b2_ED = saved[8];
    const auto offsets = context->saved_data["offsets"].toIntVector();

    const UnpermuteGradients combined = token_M.defined()
                                            ? unpermute_rows_backward(gradient[0], token_M, weight_M, y_MD)
                                            : UnpermuteGradients{gradient[0].contiguous(), {}};
    const BackwardInput in{x_MD, hidden_MF, combined.y_MD, w1_EFD, w2_EDF};
    const auto stores =
        c10::static_intrusive_pointer_cast<GradientStores>(context->saved_data["gradients"].toCapsule());
    const ExpertWeights weights{w1_EFD, b1_EF, w2_EDF, b2_ED, stores, context->saved_data["first_expert"].toInt()};
    const std::vector<std::int64_t> own_offsets = weights.own_offsets(offsets);
    ExpertGradients grad{torch::empty_like(x_MD), stores->w1.take(w1_EFD, own_offsets),
                         stores->b1.take(b1_EF, own_offsets), stores->w2.take(w2_EDF, own_offsets),
                         stores->b2.take(b2_ED, own_offsets)};
    backward_experts(in, offsets, weights, grad);
    const std::int64_t rows = context->saved_data["rows"].toInt();
    const Tensor grad_x_TD = token_M.defined() ? unpermute_rows(grad.x_MD, token_M, {}, rows) : grad.x_MD;
    return {grad_x_TD,  combined.weight_M, grad.w1_EFD, grad.b1_EF, grad.w2_EDF,
            grad.b2_ED, Tensor(),          Tensor(),    Tensor(),   Tensor()};
  }
};

}  // namespace

Tensor expert_ffn(const Tensor& x_TD, const Tensor& token_M, const Tensor& weight_M,
                  const std::vector<std::int64_t>& expert_offsets, const ExpertWeights& weights) {
  const bool computes_rows = x_TD.is_cpu() && x_TD.scalar_type() != torch::kFloat64;
  if (!at::GradMode::is_enabled() && computes_rows) {
    const bool identity = !weight_M.defined() && is_identity(token_M, x_TD.size(0));
    return expert_inference(x_TD, identity ? Tensor() : token_M, weight_M, expert_offsets, weights);
  }
  const auto optional = [](const Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; };
  return ExpertFfnFunction::apply(x_TD.contiguous(), optional(weight_M), weights.w1_EFD, weights.b1_EF, weights.w2_EDF,
                                  weights.b2_ED, optional(token_M), expert_offsets,
                                  weights.gradients ? weights.gradients : c10::make_intrusive<GradientStores>(),
                                  weights.first);
}

}  // namespace moe
