#include "kernels/gemm/gate_gemm.h"

#include "kernels/gemm/linear.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

// Legend: T tokens, D width, E experts.

namespace moe {
namespace {

using torch::Tensor;

/// Calls work(first row, rows) for blocks whose float32 copies stay in the second cache.
template <class Work>
void for_each_block(const Tensor& x_TD, Work work) {
  constexpr std::int64_t elements_at_once = 1 << 18;
  const std::int64_t block = std::max<std::int64_t>(elements_at_once / x_TD.size(1), 1), T = x_TD.size(0);
  for (std::int64_t row = 0; row < T; row += block) work(row, std::min(block, T - row));
}

class GateProductFunction : public torch::autograd::Function<GateProductFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x_TD, const Tensor& weight_ED) {
    context->save_for_backward({x_TD, weight_ED});
    Tensor logit_TE = torch::empty({x_TD.size(0), weight_ED.size(0)}, weight_ED.options());
    for_each_block(x_TD, [&](std::int64_t row, std::int64_t rows) {
      Tensor logit = logit_TE.narrow(0, row, rows);
      gemm_out(logit, x_TD.narrow(0, row, rows).to(torch::kFloat32), weight_ED.t());
    });
    return logit_TE;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const auto saved = context->get_saved_variables();
    const Tensor& x_TD = saved[0];
    const Tensor& weight_ED = saved[1];
    const Tensor grad_TE = gradient[0].contiguous();
    Tensor grad_x_TD, grad_weight_ED;
    if (context->needs_input_grad(0)) grad_x_TD = torch::empty_like(x_TD);
    if (context->needs_input_grad(1)) grad_weight_ED = torch::zeros_like(weight_ED);
    for_each_block(x_TD, [&](std::int64_t row, std::int64_t rows) {
      const Tensor grad = grad_TE.narrow(0, row, rows);
      if (grad_x_TD.defined()) {
        Tensor grad_x = torch::empty({rows, x_TD.size(1)}, weight_ED.options());
        gemm_out(grad_x, grad, weight_ED);
        grad_x_TD.narrow(0, row, rows).copy_(grad_x);
      }
      if (grad_weight_ED.defined()) {
        Tensor grad_weight = torch::empty_like(weight_ED);
        gemm_out(grad_weight, grad.t(), x_TD.narrow(0, row, rows).to(torch::kFloat32));
        grad_weight_ED.add_(grad_weight);
      }
    });
    return {grad_x_TD, grad_weight_ED};
  }
};

}  // namespace

Tensor gate_gemm(const Tensor& x_TD, const Tensor& weight_ED) {
  return GateProductFunction::apply(x_TD.contiguous(), weight_ED.contiguous());
}

}  // namespace moe
