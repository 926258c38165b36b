#include "kernels/cuda/expert_ops.h"

#include "kernels/cuda/expert_rows.h"
#include "kernels/cuda/grouped_gemm.h"
#include "kernels/cuda/scan.h"
#include "kernels/cuda/tensors.h"
#include "kernels/simd/scalar_type.h"

#include <ATen/ops/_grouped_mm.h>
#include <ATen/ops/threshold_backward.h>
#include <torch/types.h>

namespace moe::cuda {
namespace {

using torch::Tensor;

/// The assignments of each row, in their order.
struct AssignmentsOfRows {
  Tensor first_T1, assignment_M;
};

AssignmentsOfRows assignments_of_rows(const Tensor& token_M, std::int64_t rows) {
  const auto options = token_M.options().dtype(torch::kInt32);
  const std::int64_t assignments = token_M.size(0);
  const Stream stream = stream_of(token_M);
  const auto* token = token_M.const_data_ptr<std::int64_t>();
  Tensor count_T1 = torch::zeros({rows + 1}, options);
  AssignmentsOfRows sorted{torch::empty({rows + 1}, options), torch::empty({assignments}, options)};
  run(CountAssignments{token, count_T1.mutable_data_ptr<std::int32_t>()}, assignments, stream);
  const ExclusiveSum sum{count_T1.const_data_ptr<std::int32_t>(), rows + 1,
                         sorted.first_T1.mutable_data_ptr<std::int32_t>()};
  run(sum, stream);
  count_T1.copy_(sorted.first_T1);  // counts on from where each row begins
  run(PlaceAssignments{token, count_T1.mutable_data_ptr<std::int32_t>(),
                       sorted.assignment_M.mutable_data_ptr<std::int32_t>()},
      assignments, stream);
  run(OrderAssignments{sum.out, sorted.assignment_M.mutable_data_ptr<std::int32_t>()}, rows, stream);
  return sorted;
}

/// int32 [E + 1] on the device; the host does not wait.
Tensor offsets_on(torch::Device device, const std::vector<std::int64_t>& offsets) {
  const std::vector<std::int32_t> narrow(offsets.begin(), offsets.end());
  return uploaded(narrow.data(), narrow.size() * sizeof(std::int32_t), device).view(torch::kInt32);
}

/// out = x w^T + bias for all experts, then relu if asked. x: [M, K]; w: [E, N, K].
void grouped_linear(const Tensor& x_MK, const Tensor& w_ENK, const Tensor& bias_EN, const Tensor& offset_E1, bool relu,
                    Tensor& out_MN) {
  run(GroupedRows<false>{x_MK.const_data_ptr<float>(), w_ENK.const_data_ptr<float>(),
                         offset_E1.const_data_ptr<std::int32_t>(), x_MK.size(0), static_cast<int>(w_ENK.size(0)),
                         static_cast<int>(w_ENK.size(2)), static_cast<int>(w_ENK.size(1)),
                         bias_EN.const_data_ptr<float>(), relu, nullptr, out_MN.mutable_data_ptr<float>()},
      stream_of(x_MK));
}

/// out = grad w for all experts, 0 where hidden (may be undefined) is not positive. grad: [M, N]; w: [E, N, K].
void grouped_input_gradient(const Tensor& grad_MN, const Tensor& w_ENK, const Tensor& offset_E1, const Tensor& hidden,
                            Tensor& out_MK) {
  run(GroupedRows<true>{grad_MN.const_data_ptr<float>(), w_ENK.const_data_ptr<float>(),
                        offset_E1.const_data_ptr<std::int32_t>(), grad_MN.size(0), static_cast<int>(w_ENK.size(0)),
                        static_cast<int>(w_ENK.size(1)), static_cast<int>(w_ENK.size(2)), nullptr, false,
                        read_of<float>(hidden), out_MK.mutable_data_ptr<float>()},
      stream_of(grad_MN));
}

void grouped_weight_gradient(const Tensor& grad_MN, const Tensor& x_MK, const Tensor& offset_E1, Tensor& grad_w_ENK,
                             Tensor& grad_bias_EN) {
  run(GroupedWeightGradients{grad_MN.const_data_ptr<float>(), x_MK.const_data_ptr<float>(),
                             offset_E1.const_data_ptr<std::int32_t>(), static_cast<int>(grad_w_ENK.size(0)),
                             static_cast<int>(grad_w_ENK.size(1)), static_cast<int>(grad_w_ENK.size(2)),
                             grad_w_ENK.mutable_data_ptr<float>(), grad_bias_EN.mutable_data_ptr<float>()},
      stream_of(grad_MN));
}

/// at::_grouped_mm wants where each expert's rows end.
Tensor ends_of(const Tensor& offset_E1) {
  return offset_E1.narrow(0, 1, offset_E1.size(0) - 1);
}

void add_bias(const Tensor& bias_EN, const Tensor& offset_E1, bool relu, Tensor& y_MN) {
  run(AddExpertBias<Bf16>{read_of<c10::BFloat16>(bias_EN), offset_E1.const_data_ptr<std::int32_t>(),
                          static_cast<int>(bias_EN.size(0)), static_cast<int>(bias_EN.size(1)), relu,
                          written_of<c10::BFloat16>(y_MN)},
      y_MN.size(0), stream_of(y_MN));
}

Tensor bias_gradient(const Tensor& grad_MN, const Tensor& offset_E1) {
  const std::int64_t experts = offset_E1.size(0) - 1, columns = grad_MN.size(1);
  Tensor partial = torch::empty({bias_parts, experts, columns}, grad_MN.options().dtype(torch::kFloat32));
  run(BiasParts<Bf16>{read_of<c10::BFloat16>(grad_MN), offset_E1.const_data_ptr<std::int32_t>(),
                      static_cast<int>(experts), static_cast<int>(columns), partial.mutable_data_ptr<float>()},
      stream_of(grad_MN));
  return partial.sum(0).to(torch::kBFloat16);
}

/// The library says nothing about the gradients of experts without rows.
Tensor weight_gradient(const Tensor& grad_MN, const Tensor& x_MK, const Tensor& end_E,
                       const std::vector<std::int64_t>& offsets) {
  Tensor grad_w_ENK = at::_grouped_mm(grad_MN.t(), x_MK, end_E);
  for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
    if (offsets[e] == offsets[e + 1]) grad_w_ENK.select(0, static_cast<std::int64_t>(e)).zero_();
  }
  return grad_w_ENK;
}

}  // namespace

Tensor combine_rows(const Tensor& y_MD, const Tensor& token_M, const Tensor& weight_M, std::int64_t rows) {
  const Tensor y = y_MD.contiguous();
  const AssignmentsOfRows sorted = assignments_of_rows(token_M, rows);
  Tensor out_TD = torch::empty({rows, y.size(1)}, y.options());
  with_type_of(y, [&](auto scalar) {
    using Scalar = decltype(scalar);
    run(CombineRows<Stored<Scalar>>{read_of<Scalar>(y), read_of<Scalar>(weight_M),
                                    sorted.first_T1.const_data_ptr<std::int32_t>(),
                                    sorted.assignment_M.const_data_ptr<std::int32_t>(), static_cast<int>(y.size(1)),
                                    written_of<Scalar>(out_TD)},
        rows, stream_of(y));
  });
  return out_TD;
}

SpreadGradients spread_rows(const Tensor& grad_TD, const Tensor& token_M, const Tensor& weight_M, const Tensor& y_MD) {
  const Tensor grad = grad_TD.contiguous();
  const std::int64_t assignments = token_M.size(0);
  SpreadGradients gradients{torch::empty({assignments, grad.size(1)}, grad.options()), {}};
  float* grad_weight = nullptr;
  if (y_MD.defined()) {
    gradients.weight_M = torch::empty({assignments}, grad.options().dtype(torch::kFloat32));
    grad_weight = gradients.weight_M.mutable_data_ptr<float>();
  }
  with_type_of(grad, [&](auto scalar) {
    using Scalar = decltype(scalar);
    run(SpreadRows<Stored<Scalar>>{read_of<Scalar>(grad), token_M.const_data_ptr<std::int64_t>(),
                                   read_of<Scalar>(weight_M), read_of<Scalar>(y_MD), static_cast<int>(grad.size(1)),
                                   written_of<Scalar>(gradients.y_MD), grad_weight},
        assignments, stream_of(grad));
  });
  return gradients;
}

bool has_grouped_bf16(torch::Device device) {
  const int generation = compute_capability(device) / 10;
  return generation == 9 || generation == 10;
}

GroupedProduct grouped_product(const Tensor& x_MD, const Tensor& w1_EFD) {
  const bool is_one = w1_EFD.size(0) == 1;  // whose product cuBLAS has
  if (!takes(x_MD) || is_one || x_MD.size(0) == 0) return GroupedProduct::none;
  if (x_MD.scalar_type() == torch::kFloat32) return GroupedProduct::ours_fp32;
  const bool fits = w1_EFD.size(1) % 8 == 0 && w1_EFD.size(2) % 8 == 0 && has_grouped_bf16(x_MD.device());
  return fits ? GroupedProduct::library_bf16 : GroupedProduct::none;
}

void grouped_forward(const GroupedExperts& experts, Tensor& hidden_MF, Tensor& y_MD) {
  const Tensor offset_E1 = offsets_on(experts.x_MD.device(), experts.offsets);
  if (experts.x_MD.scalar_type() == torch::kFloat32) {
    grouped_linear(experts.x_MD, experts.w1_EFD, experts.b1_EF, offset_E1, /*relu=*/true, hidden_MF);
    grouped_linear(hidden_MF, experts.w2_EDF, experts.b2_ED, offset_E1, /*relu=*/false, y_MD);
    return;
  }
  const Tensor end_E = ends_of(offset_E1);
  hidden_MF = at::_grouped_mm(experts.x_MD, experts.w1_EFD.transpose(1, 2), end_E);
  add_bias(experts.b1_EF, offset_E1, /*relu=*/true, hidden_MF);
  y_MD = at::_grouped_mm(hidden_MF, experts.w2_EDF.transpose(1, 2), end_E);
  add_bias(experts.b2_ED, offset_E1, /*relu=*/false, y_MD);
}

void grouped_backward(const GroupedExperts& experts, const Tensor& hidden_MF, const Tensor& grad_y_MD,
                      GroupedGradients& gradients) {
  const Tensor offset_E1 = offsets_on(experts.x_MD.device(), experts.offsets);
  if (experts.x_MD.scalar_type() == torch::kFloat32) {
    Tensor grad_hidden_MF = torch::empty_like(hidden_MF);
    grouped_weight_gradient(grad_y_MD, hidden_MF, offset_E1, gradients.w2_EDF, gradients.b2_ED);
    grouped_input_gradient(grad_y_MD, experts.w2_EDF, offset_E1, hidden_MF, grad_hidden_MF);
    grouped_weight_gradient(grad_hidden_MF, experts.x_MD, offset_E1, gradients.w1_EFD, gradients.b1_EF);
    grouped_input_gradient(grad_hidden_MF, experts.w1_EFD, offset_E1, {}, gradients.x_MD);
    return;
  }
  const Tensor end_E = ends_of(offset_E1);
  gradients.w2_EDF = weight_gradient(grad_y_MD, hidden_MF, end_E, experts.offsets);
  gradients.b2_ED = bias_gradient(grad_y_MD, offset_E1);
  const Tensor grad_hidden_MF = at::threshold_backward(at::_grouped_mm(grad_y_MD, experts.w2_EDF, end_E), hidden_MF, 0);
  gradients.w1_EFD = weight_gradient(grad_hidden_MF, experts.x_MD, end_E, experts.offsets);
  gradients.b1_EF = bias_gradient(grad_hidden_MF, offset_E1);
  gradients.x_MD = at::_grouped_mm(grad_hidden_MF, experts.w1_EFD, end_E);
}

}  // namespace moe::cuda
