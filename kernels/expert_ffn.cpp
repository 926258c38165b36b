#include "kernels/expert_ffn.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

// Legend: T rows of x, M pairs, E experts, D width, F hidden width.
//
// One product per expert into slices of preallocated buffers: it takes every dtype and row size, and skips unused
// experts. bench/ measures it beside at::_grouped_mm.

namespace moe {
namespace {

using torch::Tensor;

/// Calls `work(expert, first pair, number of pairs)` for every expert in use.
template <class Work>
void for_each_used_expert(const std::vector<std::int64_t>& offsets, Work work) {
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    const std::int64_t pairs = offsets[e + 1] - offsets[e];
    if (pairs > 0) work(static_cast<std::int64_t>(e), offsets[e], pairs);
  }
}

void zero_unused(const std::vector<std::int64_t>& offsets, const std::vector<Tensor>& gradients) {
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    if (offsets[e + 1] > offsets[e]) continue;
    for (const Tensor& gradient : gradients) gradient.select(0, static_cast<std::int64_t>(e)).zero_();
  }
}

class ExpertFfnFunction : public torch::autograd::Function<ExpertFfnFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x_TD,
                        const std::optional<Tensor>& optional_weight_M, const Tensor& w1_EFD, const Tensor& b1_EF,
                        const Tensor& w2_EDF, const Tensor& b2_ED, const Tensor& token_M,
                        const std::vector<std::int64_t>& offsets) {
    const Tensor weight_M = optional_weight_M.value_or(Tensor());
    const Tensor x_MD = x_TD.index_select(0, token_M);
    Tensor hidden_MF = torch::empty({x_MD.size(0), w1_EFD.size(1)}, x_TD.options());
    Tensor y_MD = torch::empty_like(x_MD);
    for_each_used_expert(offsets, [&](std::int64_t e, std::int64_t first, std::int64_t pairs) {
      Tensor hidden = hidden_MF.narrow(0, first, pairs);
      Tensor y = y_MD.narrow(0, first, pairs);
      at::addmm_out(hidden, b1_EF[e], x_MD.narrow(0, first, pairs), w1_EFD[e].t());
      hidden.relu_();
      at::addmm_out(y, b2_ED[e], hidden, w2_EDF[e].t());
    });
    Tensor out_TD = torch::zeros_like(x_TD);
    if (weight_M.defined()) {
      out_TD.index_add_(0, token_M, y_MD * weight_M.to(y_MD.scalar_type()).unsqueeze(1));
    } else {
      out_TD.index_add_(0, token_M, y_MD);
    }
    const bool weight_needs_gradient = weight_M.defined() && weight_M.requires_grad();
    context->save_for_backward(
        {x_MD, hidden_MF, weight_needs_gradient ? y_MD : Tensor(), weight_M, w1_EFD, w2_EDF, token_M});
    context->saved_data["offsets"] = offsets;
    context->saved_data["rows"] = x_TD.size(0);
    return out_TD;
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
    const auto offsets = context->saved_data["offsets"].toIntVector();
    const std::int64_t rows = context->saved_data["rows"].toInt();

    Tensor grad_y_MD = gradient[0].index_select(0, token_M);
    Tensor grad_weight_M;
    if (y_MD.defined()) grad_weight_M = (grad_y_MD * y_MD).sum(1, false, weight_M.scalar_type());
    if (weight_M.defined()) grad_y_MD.mul_(weight_M.to(grad_y_MD.scalar_type()).unsqueeze(1));

    Tensor grad_w1_EFD = torch::empty_like(w1_EFD);
    Tensor grad_b1_EF = torch::empty({w1_EFD.size(0), w1_EFD.size(1)}, w1_EFD.options());
    Tensor grad_w2_EDF = torch::empty_like(w2_EDF);
    Tensor grad_b2_ED = torch::empty({w2_EDF.size(0), w2_EDF.size(1)}, w2_EDF.options());
    zero_unused(offsets, {grad_w1_EFD, grad_b1_EF, grad_w2_EDF, grad_b2_ED});
    Tensor grad_hidden_MF = torch::empty_like(hidden_MF);
    Tensor grad_x_MD = torch::empty_like(x_MD);
    for_each_used_expert(offsets, [&](std::int64_t e, std::int64_t first, std::int64_t pairs) {
      const Tensor grad_y = grad_y_MD.narrow(0, first, pairs);
      const Tensor hidden = hidden_MF.narrow(0, first, pairs);
      Tensor grad_hidden = grad_hidden_MF.narrow(0, first, pairs);
      Tensor grad_w1 = grad_w1_EFD[e], grad_b1 = grad_b1_EF[e], grad_w2 = grad_w2_EDF[e], grad_b2 = grad_b2_ED[e];
      Tensor grad_x = grad_x_MD.narrow(0, first, pairs);
      at::mm_out(grad_w2, grad_y.t(), hidden);
      at::sum_out(grad_b2, grad_y, 0);
      at::mm_out(grad_hidden, grad_y, w2_EDF[e]);
      at::threshold_backward_out(grad_hidden, grad_hidden, hidden, 0);
      at::mm_out(grad_w1, grad_hidden.t(), x_MD.narrow(0, first, pairs));
      at::sum_out(grad_b1, grad_hidden, 0);
      at::mm_out(grad_x, grad_hidden, w1_EFD[e]);
    });
    Tensor grad_x_TD = torch::zeros({rows, x_MD.size(1)}, x_MD.options());
    grad_x_TD.index_add_(0, token_M, grad_x_MD);
    return {grad_x_TD, grad_weight_M, grad_w1_EFD, grad_b1_EF, grad_w2_EDF, grad_b2_ED, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor expert_ffn(const Tensor& x_TD, const Tensor& token_M, const Tensor& weight_M,
                  const std::vector<std::int64_t>& expert_offsets, const ExpertWeights& weights) {
  const std::optional<Tensor> optional_weight_M = weight_M.defined() ? std::optional(weight_M) : std::nullopt;
  return ExpertFfnFunction::apply(x_TD, optional_weight_M, weights.w1_EFD, weights.b1_EF, weights.w2_EDF, weights.b2_ED,
                                  token_M, expert_offsets);
}

}  // namespace moe
