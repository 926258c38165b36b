#include "kernels/experts/remote_experts.h"

#include "kernels/experts/expert_rows.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

// Legend: T rows of x, M assignments, D width.

namespace moe {
namespace {

using torch::Tensor;

/// Rows in the order of their assignments; x itself when assignment m is row m.
Tensor permuted(const Tensor& x_TD, const Tensor& token_M) {
  return token_M.defined() ? x_TD.index_select(0, token_M) : x_TD;
}

class RemoteExpertsFunction : public torch::autograd::Function<RemoteExpertsFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x_TD,
                        const std::optional<Tensor>& optional_weight_M, const std::optional<Tensor>& optional_token_M,
                        const std::vector<std::int64_t>& offsets, const c10::intrusive_ptr<RemoteExperts>& experts) {
    const Tensor weight_M = optional_weight_M.value_or(Tensor()), token_M = optional_token_M.value_or(Tensor());
    const RemoteExperts::Answer answer = experts->forward(permuted(x_TD, token_M), offsets, /*keep=*/true);
    const bool weight_needs_gradient = weight_M.defined() && weight_M.requires_grad();
    context->save_for_backward({weight_needs_gradient ? answer.y_MD : Tensor(), weight_M, token_M});
    context->saved_data["offsets"] = offsets;
    context->saved_data["call"] = answer.call;
    context->saved_data["experts"] = c10::IValue::make_capsule(experts);
    context->saved_data["rows"] = x_TD.size(0);
    return token_M.defined() ? unpermute_rows(answer.y_MD, token_M, weight_M, x_TD.size(0)) : answer.y_MD;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const auto saved = context->get_saved_variables();
    const Tensor &y_MD = saved[0], &weight_M = saved[1], &token_M = saved[2];
    const UnpermuteGradients combined = token_M.defined()
                                            ? unpermute_rows_backward(gradient[0], token_M, weight_M, y_MD)
                                            : UnpermuteGradients{gradient[0].contiguous(), {}};
    const auto experts = c10::static_intrusive_pointer_cast<RemoteExperts>(context->saved_data["experts"].toCapsule());
    const Tensor grad_x_MD = experts->backward(context->saved_data["call"].toInt(), combined.y_MD,
                                               context->saved_data["offsets"].toIntVector());
    const std::int64_t rows = context->saved_data["rows"].toInt();
    return {token_M.defined() ? unpermute_rows(grad_x_MD, token_M, {}, rows) : grad_x_MD, combined.weight_M, Tensor(),
            Tensor(), Tensor()};
  }
};

}  // namespace

Tensor expert_ffn(const Tensor& x_TD, const Tensor& token_M, const Tensor& weight_M,
                  const std::vector<std::int64_t>& expert_offsets, const c10::intrusive_ptr<RemoteExperts>& experts) {
  const auto optional = [](const Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; };
  // A weight needs a token to be added to.
  const Tensor pairs_M = token_M.defined() || !weight_M.defined()
                             ? token_M
                             : torch::arange(x_TD.size(0), torch::TensorOptions(torch::kInt64).device(x_TD.device()));
  if (!at::GradMode::is_enabled()) {
    Tensor y_MD = experts->forward(permuted(x_TD, pairs_M), expert_offsets, /*keep=*/false).y_MD;
    if (!pairs_M.defined()) return y_MD;
    // As expert_inference, which takes the weights in the rows' type.
    return unpermute_rows(y_MD, pairs_M, weight_M.defined() ? weight_M.to(x_TD.scalar_type()) : weight_M, x_TD.size(0));
  }
  return RemoteExpertsFunction::apply(x_TD.contiguous(), optional(weight_M), optional(pairs_M), expert_offsets,
                                      experts);
}

}  // namespace moe
