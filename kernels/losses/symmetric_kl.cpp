#include "kernels/losses/symmetric_kl.h"

#include "kernels/simd/vector_math.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

// Legend: N rows (target tokens), V vocabulary; p, q the two distributions of a row.

namespace moe {
namespace {

template <class Scalar>
struct RowDivergence {
  Scalar first_logsumexp, second_logsumexp;
  Scalar forward, backward;  ///< KL(p || q), KL(q || p)
};

template <class Scalar>
MOE_INLINE Scalar probability(Scalar log_probability) {
  return exp_nonpositive(log_probability > 0 ? Scalar{0} : log_probability);
}

template <class Scalar>
MOE_INLINE RowDivergence<Scalar> divergence_row(const Scalar* first, const Scalar* second, std::int64_t vocabulary) {
  const Scalar first_lse = logsumexp(first, vocabulary);
  const Scalar second_lse = logsumexp(second, vocabulary);
  Scalar forward = 0;
  Scalar backward = 0;
#pragma omp simd reduction(+ : forward, backward)
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar log_p = first[v] - first_lse;
    const Scalar log_q = second[v] - second_lse;
    forward += probability(log_p) * (log_p - log_q);
    backward += probability(log_q) * (log_q - log_p);
  }
  return {first_lse, second_lse, forward, backward};
}

// d KL(p || q) / d a_j = p_j (log p_j - log q_j - KL(p || q)) and d KL(q || p) / d a_j = p_j - q_j for logits a of p.
template <class Scalar>
MOE_INLINE void gradient_row(const Scalar* first, const Scalar* second, const RowDivergence<Scalar>& row, Scalar scale,
                             std::int64_t vocabulary, Scalar* first_gradient, Scalar* second_gradient) {
  const Scalar half = scale / 2;
#pragma omp simd
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar log_p = first[v] - row.first_logsumexp;
    const Scalar log_q = second[v] - row.second_logsumexp;
    const Scalar p = probability(log_p);
    const Scalar q = probability(log_q);
    const Scalar ratio = log_p - log_q;
    first_gradient[v] = half * (p * (ratio - row.forward) + p - q);
    second_gradient[v] = half * (q * (-ratio - row.backward) + q - p);
  }
}

// Clones cannot be templates, so each type has its entry.
MOE_VECTOR_CLONES RowDivergence<float> row_divergence(const float* first, const float* second,
                                                      std::int64_t vocabulary) {
  return divergence_row(first, second, vocabulary);
}
RowDivergence<double> row_divergence(const double* first, const double* second, std::int64_t vocabulary) {
  return divergence_row(first, second, vocabulary);
}
MOE_VECTOR_CLONES void row_gradient(const float* first, const float* second, const RowDivergence<float>& row,
                                    float scale, std::int64_t vocabulary, float* first_gradient,
                                    float* second_gradient) {
  gradient_row(first, second, row, scale, vocabulary, first_gradient, second_gradient);
}
void row_gradient(const double* first, const double* second, const RowDivergence<double>& row, double scale,
                  std::int64_t vocabulary, double* first_gradient, double* second_gradient) {
  gradient_row(first, second, row, scale, vocabulary, first_gradient, second_gradient);
}

class SymmetricKlFunction : public torch::autograd::Function<SymmetricKlFunction> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& first_NV,
                               const torch::Tensor& second_NV) {
    RECORD_USER_SCOPE("loss");
    const std::int64_t rows = first_NV.size(0);
    const std::int64_t vocabulary = first_NV.size(1);
    torch::Tensor divergence_N4 = torch::empty({rows, 4}, first_NV.options());
    AT_DISPATCH_FLOATING_TYPES(first_NV.scalar_type(), "symmetric_kl", [&] {
      const scalar_t* first = first_NV.const_data_ptr<scalar_t>();
      const scalar_t* second = second_NV.const_data_ptr<scalar_t>();
      auto* divergence = reinterpret_cast<RowDivergence<scalar_t>*>(divergence_N4.mutable_data_ptr<scalar_t>());
      at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
          divergence[n] = row_divergence(first + n * vocabulary, second + n * vocabulary, vocabulary);
        }
      });
    });
    context->save_for_backward({first_NV, second_NV, divergence_N4});
    const torch::Tensor mean_N = divergence_N4.narrow(1, 2, 2).to(torch::kFloat64).sum(1) / 2;
    return ordered_sum(mean_N, first_NV.scalar_type());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    RECORD_USER_SCOPE("loss");
    const auto saved = context->get_saved_variables();
    const torch::Tensor& first_NV = saved[0];
    const std::int64_t rows = first_NV.size(0);
    const std::int64_t vocabulary = first_NV.size(1);
    torch::Tensor first_gradient_NV = torch::empty_like(first_NV);
    torch::Tensor second_gradient_NV = torch::empty_like(first_NV);
    AT_DISPATCH_FLOATING_TYPES(first_NV.scalar_type(), "symmetric_kl_backward", [&] {
      const auto scale = gradient[0].item<scalar_t>();
      const scalar_t* first = first_NV.const_data_ptr<scalar_t>();
      const scalar_t* second = saved[1].const_data_ptr<scalar_t>();
      const auto* divergence = reinterpret_cast<const RowDivergence<scalar_t>*>(saved[2].const_data_ptr<scalar_t>());
      auto* first_out = first_gradient_NV.mutable_data_ptr<scalar_t>();
      auto* second_out = second_gradient_NV.mutable_data_ptr<scalar_t>();
      at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
          const std::int64_t row = n * vocabulary;
          row_gradient(first + row, second + row, divergence[n], scale, vocabulary, first_out + row, second_out + row);
        }
      });
    });
    return {first_gradient_NV, second_gradient_NV};
  }
};

torch::Tensor in_full_precision(const torch::Tensor& logits) {
  return (logits.scalar_type() == torch::kBFloat16 ? logits.to(torch::kFloat32) : logits).contiguous();
}

}  // namespace

torch::Tensor symmetric_kl(const torch::Tensor& first_NV, const torch::Tensor& second_NV) {
  const torch::Tensor first = in_full_precision(first_NV);
  const torch::Tensor second = in_full_precision(second_NV);
  if (first.device().is_cpu()) return SymmetricKlFunction::apply(first, second);
  const torch::Tensor log_p = first.log_softmax(-1);
  const torch::Tensor log_q = second.log_softmax(-1);
  return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum() / 2;
}

}  // namespace moe
