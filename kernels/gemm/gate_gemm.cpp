#include "kernels/gemm/gate_gemm.h"

#include "kernels/gemm/amx_gate.h"
#include "kernels/gemm/amx_gemm.h"
#include "kernels/simd/cpu_isa.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

// Legend: T tokens, D width, E experts.

namespace moe {
namespace {

using torch::Tensor;

/// Whether tiles multiply: their sums of pairs along D need an even width.
bool takes_tiles(const Tensor& x_TD) {
  const bool has_pairs = x_TD.scalar_type() == torch::kBFloat16 && x_TD.size(1) % 2 == 0 && x_TD.numel() > 0;
  return x_TD.is_cpu() && has_pairs && has_amx_bf16();
}

GateShape shape_of(const Tensor& x_TD, const Tensor& weight_ED) {
  return {x_TD.size(0), x_TD.size(1), weight_ED.size(0)};
}

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
    if (takes_tiles(x_TD)) {
      amx_gate_logits(shape_of(x_TD, weight_ED), x_TD.const_data_ptr<c10::BFloat16>(),
                      weight_ED.const_data_ptr<float>(), logit_TE.mutable_data_ptr<float>());
      return logit_TE;
    }
    for_each_block(x_TD, [&](std::int64_t row, std::int64_t rows) {
      Tensor logit = logit_TE.narrow(0, row, rows);
      at::mm_out(logit, x_TD.narrow(0, row, rows).to(torch::kFloat32), weight_ED.t());
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
    if (takes_tiles(x_TD)) {
      const GateShape shape = shape_of(x_TD, weight_ED);
      const auto* grad = grad_TE.const_data_ptr<float>();
      if (grad_x_TD.defined()) {
        amx_gate_state_gradients(shape, grad, weight_ED.const_data_ptr<float>(),
                                 grad_x_TD.mutable_data_ptr<c10::BFloat16>());
      }
      if (grad_weight_ED.defined()) {
        amx_gate_weight_gradients(shape, grad, x_TD.const_data_ptr<c10::BFloat16>(),
                                  grad_weight_ED.mutable_data_ptr<float>());
      }
      return {grad_x_TD, grad_weight_ED};
    }
    for_each_block(x_TD, [&](std::int64_t row, std::int64_t rows) {
      const Tensor grad = grad_TE.narrow(0, row, rows);
      if (grad_x_TD.defined()) grad_x_TD.narrow(0, row, rows).copy_(grad.mm(weight_ED));
      if (grad_weight_ED.defined()) grad_weight_ED.addmm_(grad.t(), x_TD.narrow(0, row, rows).to(torch::kFloat32));
    });
    return {grad_x_TD, grad_weight_ED};
  }
};

}  // namespace

Tensor gate_gemm(const Tensor& x_TD, const Tensor& weight_ED) {
  return GateProductFunction::apply(x_TD.contiguous(), weight_ED.contiguous());
}

}  // namespace moe
