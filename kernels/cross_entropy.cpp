#include "kernels/cross_entropy.h"

#include "kernels/vector_math.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

// Legend: N rows (target tokens), V vocabulary.

namespace moe {
namespace {

template <class Scalar>
struct RowSums {
  Scalar logsumexp;
  Scalar logit_sum;  ///< sum of (logit - maximum)
  Scalar maximum;
};

template <class Scalar>
MOE_INLINE RowSums<Scalar> sum_row(const Scalar* logit, std::int64_t vocabulary) {
  Scalar maximum = logit[0];
#pragma omp simd reduction(max : maximum)
  for (std::int64_t v = 0; v < vocabulary; ++v) maximum = logit[v] > maximum ? logit[v] : maximum;
  Scalar exponentials = 0;
  Scalar shifted = 0;
#pragma omp simd reduction(+ : exponentials, shifted)
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    exponentials += exp_nonpositive(logit[v] - maximum);
    shifted += logit[v] - maximum;
  }
  return {maximum + std::log(exponentials), shifted, maximum};
}

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
  return sum_row(logit, vocabulary);
}
RowSums<double> row_sums(const double* logit, std::int64_t vocabulary) {
  return sum_row(logit, vocabulary);
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
    const double off_target = vocabulary > 1 ? label_smoothing / static_cast<double>(vocabulary - 1) : 0.0;
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
          // All terms relative to the maximum, so that large logits cost no digits.
          const double lse = static_cast<double>(sums.logsumexp) - static_cast<double>(sums.maximum);
          const double on = static_cast<double>(logit[n * vocabulary + target[n]]) - static_cast<double>(sums.maximum);
          logsumexp[n] = sums.logsumexp;
          plain[n] = lse - on;
          smoothed[n] = lse - (1.0 - label_smoothing) * on - off_target * (static_cast<double>(sums.logit_sum) - on);
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
    const double label_smoothing = context->saved_data["label_smoothing"].toDouble();
    const std::int64_t rows = logit_NV.size(0);
    const std::int64_t vocabulary = logit_NV.size(1);
    torch::Tensor gradient_NV = torch::empty_like(logit_NV);
    AT_DISPATCH_FLOATING_TYPES(logit_NV.scalar_type(), "cross_entropy_backward", [&] {
      const auto scale = gradient[0].item<scalar_t>();
      const auto off_target =
          static_cast<scalar_t>(vocabulary > 1 ? label_smoothing / static_cast<double>(vocabulary - 1) : 0.0);
      const auto on_target = static_cast<scalar_t>(1.0 - label_smoothing);
      const scalar_t* logit = logit_NV.const_data_ptr<scalar_t>();
      const auto* target = saved[1].const_data_ptr<std::int64_t>();
      const auto* logsumexp = saved[2].const_data_ptr<scalar_t>();
      auto* out = gradient_NV.mutable_data_ptr<scalar_t>();
      at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
          row_gradient(logit + n * vocabulary, logsumexp[n], off_target, scale, vocabulary, out + n * vocabulary);
          out[n * vocabulary + target[n]] -= scale * (on_target - off_target);
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
