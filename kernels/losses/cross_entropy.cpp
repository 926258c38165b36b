#include "kernels/losses/cross_entropy.h"

#include "kernels/losses/loss_rows.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

// Legend: N rows (target tokens), V vocabulary.

namespace moe {
namespace {

template <class Scalar>
MOE_INLINE void gradient_row(const Scalar* logit, Scalar logsumexp, Scalar off_target, Scalar scale,
                             std::int64_t vocabulary, Scalar* gradient) {
#pragma omp simd
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar difference = logit[v] - logsumexp;
    gradient[v] = scale * (exp_nonpositive(difference > 0 ? Scalar{0} : difference) - off_target);
  }
}

// Clones cannot be templates, so each type has its entry.
MOE_VECTOR_CLONES RowSums<float> row_sums(const float* logit, std::int64_t vocabulary) {
  return sum_row<false>(logit, vocabulary, static_cast<float*>(nullptr));
}
RowSums<double> row_sums(const double* logit, std::int64_t vocabulary) {
  return sum_row<false>(logit, vocabulary, static_cast<double*>(nullptr));
}
MOE_VECTOR_CLONES void row_gradient(const float* logit, float logsumexp, float off_target, float scale,
                                    std::int64_t vocabulary, float* gradient) {
  gradient_row(logit, logsumexp, off_target, scale, vocabulary, gradient);
}
void row_gradient(const double* logit, double logsumexp, double off_target, double scale, std::int64_t vocabulary,
                  double* gradient) {
  gradient_row(logit, logsumexp, off_target, scale, vocabulary, gradient);
}

class CrossEntropyFunction : public torch::autograd::Function<CrossEntropyFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& logit_NV, const torch::Tensor& target_N,
                                                double label_smoothing) {
    RECORD_USER_SCOPE("loss");
    const std::int64_t rows = logit_NV.size(0);
    const std::int64_t vocabulary = logit_NV.size(1);
    const Smoothing smoothing(label_smoothing, vocabulary);
    torch::Tensor logsumexp_N = torch::empty({rows}, logit_NV.options());
    torch::Tensor smoothed_N = torch::empty({rows}, logit_NV.options().dtype(torch::kFloat64));
    torch::Tensor plain_N = torch::empty({rows}, logit_NV.options().dtype(torch::kFloat64));
    AT_DISPATCH_FLOATING_TYPES(logit_NV.scalar_type(), "cross_entropy", [&] {
      const scalar_t* logit = logit_NV.const_data_ptr<scalar_t>();
      const auto* target = target_N.const_data_ptr<std::int64_t>();
      auto* logsumexp = logsumexp_N.mutable_data_ptr<scalar_t>();
      auto* smoothed = smoothed_N.mutable_data_ptr<double>();
      auto* plain = plain_N.mutable_data_ptr<double>();
      at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
          const RowSums<scalar_t> sums = row_sums(logit + n * vocabulary, vocabulary);
          const RowLosses losses = row_losses(sums, logit[n * vocabulary + target[n]], smoothing);
          logsumexp[n] = sums.logsumexp;
          plain[n] = losses.plain;
          smoothed[n] = losses.smoothed;
        }
      });
    });
    context->save_for_backward({logit_NV, target_N, logsumexp_N});
    context->saved_data["label_smoothing"] = label_smoothing;
    torch::Tensor plain = ordered_sum(plain_N, logit_NV.scalar_type());
    context->mark_non_differentiable({plain});
    return {ordered_sum(smoothed_N, logit_NV.scalar_type()), plain};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    RECORD_USER_SCOPE("loss");
    const auto saved = context->get_saved_variables();
    const torch::Tensor& logit_NV = saved[0];
    const std::int64_t rows = logit_NV.size(0);
    const std::int64_t vocabulary = logit_NV.size(1);
    const Smoothing smoothing(context->saved_data["label_smoothing"].toDouble(), vocabulary);
    torch::Tensor gradient_NV = torch::empty_like(logit_NV);
    AT_DISPATCH_FLOATING_TYPES(logit_NV.scalar_type(), "cross_entropy_backward", [&] {
      const auto scale = gradient[0].item<scalar_t>();
      const scalar_t* logit = logit_NV.const_data_ptr<scalar_t>();
      const auto* target = saved[1].const_data_ptr<std::int64_t>();
      const auto* logsumexp = saved[2].const_data_ptr<scalar_t>();
      auto* out = gradient_NV.mutable_data_ptr<scalar_t>();
      at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
          scalar_t* row = out + n * vocabulary;
          row_gradient(logit + n * vocabulary, logsumexp[n], static_cast<scalar_t>(smoothing.off_target), scale,
                       vocabulary, row);
          row[target[n]] -= scale * static_cast<scalar_t>(smoothing.on_target - smoothing.off_target);
        }
      });
    });
    return {gradient_NV, torch::Tensor(), torch::Tensor()};
  }
};

/// The same in tensor operations, for devices that the row kernels do not reach.
CrossEntropy cross_entropy_by_tensors(const torch::Tensor& logit_NV, const torch::Tensor& target_N,
                                      double label_smoothing) {
  const torch::Tensor log_probability_NV = logit_NV.log_softmax(-1);
  const torch::Tensor on_N = log_probability_NV.gather(1, target_N.unsqueeze(1)).squeeze(1);
  const double off_target = label_smoothing / static_cast<double>(std::max<std::int64_t>(logit_NV.size(1) - 1, 1));
  const torch::Tensor off_N = log_probability_NV.sum(-1) - on_N;
  return {-((1.0 - label_smoothing) * on_N + off_target * off_N).sum(), -on_N.detach().sum()};
}

}  // namespace

CrossEntropy cross_entropy(const torch::Tensor& logit_NV, const torch::Tensor& target_N, double label_smoothing) {
  const torch::Tensor logits =
      (logit_NV.scalar_type() == torch::kBFloat16 ? logit_NV.to(torch::kFloat32) : logit_NV).contiguous();
  if (!logits.device().is_cpu()) return cross_entropy_by_tensors(logits, target_N, label_smoothing);
  const auto sums = CrossEntropyFunction::apply(logits, target_N.contiguous(), label_smoothing);
  return {sums[0], sums[1]};
}

}  // namespace moe
