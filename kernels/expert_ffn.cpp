#include "kernels/expert_ffn.h"

#include "kernels/affine.h"
#include "kernels/expert_rows.h"
#include "kernels/few_rows.h"
#include "kernels/scalar_type.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <atomic>

// Legend: T rows of x, M pairs, E experts, D width, F hidden width.
//
// One product per expert into slices of preallocated buffers: it takes every dtype and row size, and skips unused
// experts. Experts with few rows have products of their own (kernels/few_rows.h). bench/ measures all beside
// at::_grouped_mm.

namespace moe {
namespace {

using torch::Tensor;

constexpr std::int64_t inference_rows = 2048;  ///< in a block

/// An expert in use and its pairs.
struct Used {
  std::int64_t expert, first, pairs;
};

/// The experts in use: those whose products take all threads, one after the other, and those with few rows, which are
/// shared out between the threads.
struct UsedExperts {
  std::vector<Used> many, few;

  UsedExperts(const std::vector<std::int64_t>& offsets, const Tensor& w1_EFD, const Tensor& w2_EDF) {
    const std::int64_t most = most_few_rows(w1_EFD.scalar_type());
    const bool own_products = has_few_rows(w1_EFD.scalar_type(), w1_EFD.size(2), w1_EFD.size(1)) && w1_EFD.is_cpu() &&
                              w1_EFD.is_contiguous() && w2_EDF.is_contiguous();
    std::int64_t few_pairs = 0;
    for (std::size_t e = 0; e + 1 < offsets.size(); ++e) {
      const Used used{static_cast<std::int64_t>(e), offsets[e], offsets[e + 1] - offsets[e]};
      if (used.pairs == 0) continue;
      const bool is_few = own_products && offsets.size() > 2 && used.pairs <= most;
      (is_few ? few : many).push_back(used);
      if (is_few) few_pairs += used.pairs;
    }
    // The largest first, so that threads end together; one that the others would wait for is worth all threads.
    std::stable_sort(few.begin(), few.end(), [](const Used& a, const Used& b) { return a.pairs > b.pairs; });
    auto shared = few.begin();
    for (; shared != few.end() && 4 * shared->pairs * at::get_num_threads() > 5 * few_pairs; ++shared) {
      few_pairs -= shared->pairs;
    }
    many.insert(many.end(), few.begin(), shared);
    few.erase(few.begin(), shared);
  }

  /// Calls `work` for every expert with few rows. It must not call LibTorch, whose state is that of another thread.
  template <class Work>
  void for_each_few(Work work) const {
    RECORD_USER_SCOPE("matrix products");
    std::atomic<std::size_t> next = 0;  // whoever is free takes the next: loads differ
    at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
      for (std::size_t i = next++; i < few.size(); i = next++) work(few[i]);
    });
  }
};

/// The few rows of each expert in buffers of all pairs.
template <class Scalar>
class FewRowsOfAll {
 public:
  FewRowsOfAll(const Tensor& x_MD, const Tensor& w1_EFD, const Tensor& w2_EDF, const Tensor& hidden_MF)
      : first_{.width = w1_EFD.size(2),
               .hidden_width = w1_EFD.size(1),
               .x = x_MD.const_data_ptr<Scalar>(),
               .w1 = w1_EFD.const_data_ptr<Scalar>(),
               .w2 = w2_EDF.const_data_ptr<Scalar>(),
               .hidden = data_or_null<Scalar>(hidden_MF)} {}

  FewRows<Scalar> of(const Used& used) const {
    FewRows<Scalar> rows = first_;
    rows.rows = used.pairs;
    rows.x += used.first * rows.width;
    rows.w1 += used.expert * rows.width * rows.hidden_width;
    rows.w2 += used.expert * rows.width * rows.hidden_width;
    if (rows.hidden != nullptr) rows.hidden += used.first * rows.hidden_width;
    return rows;
  }

 private:
  FewRows<Scalar> first_;
};

/// True when pair m is row m: nothing is to be gathered or scattered.
bool is_identity(const Tensor& token_M, std::int64_t rows) {
  if (!token_M.defined()) return true;
  if (token_M.size(0) != rows || !token_M.is_cpu()) return false;
  const auto* token = token_M.const_data_ptr<std::int64_t>();
  for (std::int64_t m = 0; m < rows; ++m) {
    if (token[m] != m) return false;
  }
  return true;
}

/// Of gathered rows. Hidden states are left in hidden_MF, or, where that is undefined, not kept: on the CPU a block of
/// them at a time stays in the caches.
Tensor apply_experts(const Tensor& x_MD, const ExpertWeights& weights, const std::vector<std::int64_t>& offsets,
                     const Tensor& hidden_MF) {
  const std::int64_t D = weights.w1_EFD.size(2), F = weights.w1_EFD.size(1);
  Tensor y_MD = torch::empty_like(x_MD);
  const UsedExperts used_experts(offsets, weights.w1_EFD, weights.w2_EDF);
  for (const auto& [e, first, pairs] : used_experts.many) {
    const bool in_blocks = !hidden_MF.defined() && x_MD.is_cpu();
    const std::int64_t block = in_blocks ? std::min(pairs, inference_rows) : pairs;
    Tensor room_NF = hidden_MF.defined() ? hidden_MF.narrow(0, first, pairs) : torch::empty({block, F}, x_MD.options());
    for (std::int64_t row = 0; row < pairs; row += block) {
      const std::int64_t rows = std::min(block, pairs - row);
      Tensor hidden = room_NF.narrow(0, 0, rows), y = y_MD.narrow(0, first + row, rows);
      product_out(hidden, x_MD.narrow(0, first + row, rows), weights.w1_EFD[e].t(), weights.b1_EF[e], /*relu=*/true);
      product_out(y, hidden, weights.w2_EDF[e].t(), weights.b2_ED[e]);
    }
  }
  if (used_experts.few.empty()) return y_MD;
  with_type_of(x_MD, [&](auto scalar) {
    using Scalar = decltype(scalar);
    const FewRowsOfAll<Scalar> rows(x_MD, weights.w1_EFD, weights.w2_EDF, hidden_MF);
    const auto *b1 = weights.b1_EF.const_data_ptr<Scalar>(), *b2 = weights.b2_ED.const_data_ptr<Scalar>();
    auto* y = y_MD.data_ptr<Scalar>();
    used_experts.for_each_few([&](const Used& used) {
      few_rows_forward(rows.of(used), b1 + used.expert * F, b2 + used.expert * D, y + used.first * D);
    });
  });
  return y_MD;
}

class ExpertFfnFunction : public torch::autograd::Function<ExpertFfnFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x_TD,
                        const std::optional<Tensor>& optional_weight_M, const Tensor& w1_EFD, const Tensor& b1_EF,
                        const Tensor& w2_EDF, const Tensor& b2_ED, const std::optional<Tensor>& optional_token_M,
                        const std::vector<std::int64_t>& offsets, const c10::intrusive_ptr<GradientStores>& gradients) {
    const Tensor weight_M = optional_weight_M.value_or(Tensor());
    Tensor token_M = optional_token_M.value_or(Tensor());
    const bool identity = !weight_M.defined() && is_identity(token_M, x_TD.size(0));
    if (identity) token_M.reset();
    const Tensor x_MD = identity ? x_TD : x_TD.index_select(0, token_M);
    const Tensor hidden_MF = torch::empty({x_MD.size(0), w1_EFD.size(1)}, x_TD.options());
    const Tensor y_MD = apply_experts(x_MD, {w1_EFD, b1_EF, w2_EDF, b2_ED}, offsets, hidden_MF);
    const bool weight_needs_gradient = weight_M.defined() && weight_M.requires_grad();
    context->save_for_backward(
        {x_MD, hidden_MF, weight_needs_gradient ? y_MD : Tensor(), weight_M, w1_EFD, w2_EDF, token_M, b1_EF, b2_ED});
    context->saved_data["offsets"] = offsets;
    context->saved_data["gradients"] = c10::IValue::make_capsule(gradients);
    context->saved_data["rows"] = x_TD.size(0);
    return identity ? y_MD : combine_rows(y_MD, token_M, weight_M, x_TD.size(0));
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

    const CombineGradients combined = token_M.defined() ? combine_rows_backward(gradient[0], token_M, weight_M, y_MD)
                                                        : CombineGradients{gradient[0].contiguous(), {}};
    const Tensor& grad_y_MD = combined.y_MD;
    const auto stores =
        c10::static_intrusive_pointer_cast<GradientStores>(context->saved_data["gradients"].toCapsule());
    Tensor grad_w1_EFD = stores->w1.take(w1_EFD, offsets), grad_b1_EF = stores->b1.take(b1_EF, offsets);
    Tensor grad_w2_EDF = stores->w2.take(w2_EDF, offsets), grad_b2_ED = stores->b2.take(b2_ED, offsets);
    Tensor grad_hidden_MF = torch::empty_like(hidden_MF);
    Tensor grad_x_MD = torch::empty_like(x_MD);
    const UsedExperts used_experts(offsets, w1_EFD, w2_EDF);
    for (const auto& [e, first, pairs] : used_experts.many) {
      const Tensor grad_y = grad_y_MD.narrow(0, first, pairs);
      const Tensor hidden = hidden_MF.narrow(0, first, pairs);
      Tensor grad_hidden = grad_hidden_MF.narrow(0, first, pairs);
      Tensor grad_w1 = grad_w1_EFD[e], grad_b1 = grad_b1_EF[e], grad_w2 = grad_w2_EDF[e], grad_b2 = grad_b2_ED[e];
      Tensor grad_x = grad_x_MD.narrow(0, first, pairs);
      product_out(grad_w2, grad_y.t(), hidden);
      at::sum_out(grad_b2, grad_y, 0);
      product_out(grad_hidden, grad_y, w2_EDF[e]);
      relu_backward_(grad_hidden, hidden, grad_b1);
      product_out(grad_w1, grad_hidden.t(), x_MD.narrow(0, first, pairs));
      product_out(grad_x, grad_hidden, w1_EFD[e]);
    }
    if (!used_experts.few.empty()) {
      with_type_of(x_MD, [&](auto scalar) {
        using Scalar = decltype(scalar);
        const FewRowsOfAll<Scalar> rows(x_MD, w1_EFD, w2_EDF, hidden_MF);
        const std::int64_t D = w1_EFD.size(2), F = w1_EFD.size(1);
        const FewRowsGradients<Scalar> all{.x = grad_x_MD.data_ptr<Scalar>(),
                                           .w1 = grad_w1_EFD.data_ptr<Scalar>(),
                                           .b1 = grad_b1_EF.data_ptr<Scalar>(),
                                           .w2 = grad_w2_EDF.data_ptr<Scalar>(),
                                           .b2 = grad_b2_ED.data_ptr<Scalar>(),
                                           .hidden = grad_hidden_MF.data_ptr<Scalar>()};
        const auto* grad_y = grad_y_MD.const_data_ptr<Scalar>();
        used_experts.for_each_few([&](const Used& used) {
          const auto& [e, first, pairs] = used;
          few_rows_backward<Scalar>(rows.of(used), grad_y + first * D,
                                    {.x = all.x + first * D,
                                     .w1 = all.w1 + e * F * D,
                                     .b1 = all.b1 + e * F,
                                     .w2 = all.w2 + e * D * F,
                                     .b2 = all.b2 + e * D,
                                     .hidden = all.hidden + first * F});
        });
      });
    }
    const std::int64_t rows = context->saved_data["rows"].toInt();
    const Tensor grad_x_TD = token_M.defined() ? combine_rows(grad_x_MD, token_M, {}, rows) : grad_x_MD;
    return {grad_x_TD,  combined.weight_M, grad_w1_EFD, grad_b1_EF, grad_w2_EDF,
            grad_b2_ED, Tensor(),          Tensor(),    Tensor()};
  }
};

}  // namespace

Tensor expert_ffn(const Tensor& x_TD, const Tensor& token_M, const Tensor& weight_M,
                  const std::vector<std::int64_t>& expert_offsets, const ExpertWeights& weights) {
  if (!at::GradMode::is_enabled()) {
    const std::int64_t rows = x_TD.size(0);
    if (!weight_M.defined() && is_identity(token_M, rows))
      return apply_experts(x_TD.contiguous(), weights, expert_offsets, {});
    const Tensor y_MD = apply_experts(x_TD.index_select(0, token_M), weights, expert_offsets, {});
    return combine_rows(y_MD, token_M, weight_M, rows);
  }
  const auto optional = [](const Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; };
  return ExpertFfnFunction::apply(x_TD.contiguous(), optional(weight_M), weights.w1_EFD, weights.b1_EF, weights.w2_EDF,
                                  weights.b2_ED, optional(token_M), expert_offsets,
                                  weights.gradients ? weights.gradients : c10::make_intrusive<GradientStores>());
}

}  // namespace moe
