#include "kernels/cross_entropy.h"

#include "kernels/affine.h"
#include "kernels/bf16_rows.h"
#include "kernels/room.h"
#include "kernels/vector_math.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <type_traits>

// Legend: N rows (target tokens), V vocabulary.

namespace moe {
namespace {

template <class Scalar>
struct RowSums {
  Scalar logsumexp;
  Scalar logit_sum;  ///< sum of (logit - maximum)
  Scalar maximum;
};

/// `exponential`: where exp(logit - maximum) goes, which may be the logits' place, if they are kept.
template <bool keeps_exponentials, class Scalar>
MOE_INLINE RowSums<Scalar> sum_row(const Scalar* logit, std::int64_t vocabulary, Scalar* exponential) {
  Scalar maximum = logit[0];
#pragma omp simd reduction(max : maximum)
  for (std::int64_t v = 0; v < vocabulary; ++v) maximum = logit[v] > maximum ? logit[v] : maximum;
  Scalar exponentials = 0;
  Scalar shifted = 0;
#pragma omp simd reduction(+ : exponentials, shifted)
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar difference = logit[v] - maximum;
    const Scalar power = exp_nonpositive(difference);
    exponentials += power;
    shifted += difference;
    if constexpr (keeps_exponentials) exponential[v] = power;
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
  return sum_row<false>(logit, vocabulary, static_cast<float*>(nullptr));
}
RowSums<double> row_sums(const double* logit, std::int64_t vocabulary) {
  return sum_row<false>(logit, vocabulary, static_cast<double*>(nullptr));
}
MOE_VECTOR_CLONES RowSums<float> exponentiate_row(float* row, std::int64_t vocabulary) {
  return sum_row<true>(row, vocabulary, row);
}
RowSums<double> exponentiate_row(double* row, std::int64_t vocabulary) {
  return sum_row<true>(row, vocabulary, row);
}
template <class Scalar>
MOE_INLINE void scale_and_shift(Scalar factor, Scalar shift, std::int64_t vocabulary, Scalar* row) {
#pragma omp simd
  for (std::int64_t v = 0; v < vocabulary; ++v) row[v] = row[v] * factor - shift;
}
MOE_VECTOR_CLONES void gradient_of_exponentials(float factor, float off_target, std::int64_t vocabulary, float* row) {
  scale_and_shift(factor, off_target, vocabulary, row);
}
void gradient_of_exponentials(double factor, double off_target, std::int64_t vocabulary, double* row) {
  scale_and_shift(factor, off_target, vocabulary, row);
}
MOE_VECTOR_CLONES void row_gradient(const float* logit, float logsumexp, float off_target, float scale,
                                    std::int64_t vocabulary, float* gradient) {
  gradient_row(logit, logsumexp, off_target, scale, vocabulary, gradient);
}
void row_gradient(const double* logit, double logsumexp, double off_target, double scale, std::int64_t vocabulary,
                  double* gradient) {
  gradient_row(logit, logsumexp, off_target, scale, vocabulary, gradient);
}

/// How a target's probability is smoothed over V ids.
struct Smoothing {
  double on_target, off_target;  ///< of the target itself, and of each other id

  Smoothing(double label_smoothing, std::int64_t vocabulary)
      : on_target(1.0 - label_smoothing),
        off_target(vocabulary > 1 ? label_smoothing / static_cast<double>(vocabulary - 1) : 0.0) {}
};

struct RowLosses {
  double smoothed, plain;
};

/// All terms relative to the maximum, so that large logits cost no digits.
template <class Scalar>
RowLosses row_losses(const RowSums<Scalar>& sums, Scalar target_logit, const Smoothing& smoothing) {
  const double lse = static_cast<double>(sums.logsumexp) - static_cast<double>(sums.maximum);
  const double on = static_cast<double>(target_logit) - static_cast<double>(sums.maximum);
  const double others = static_cast<double>(sums.logit_sum) - on;
  return {lse - smoothing.on_target * on - smoothing.off_target * others, lse - on};
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

/// Calls work(row) with rows of a tensor as float32 or float64: where they lie, or in a copy that is written back.
template <class Stored, class Work>
void with_row(Stored* row, std::int64_t count, bool is_written, Work work) {
  if constexpr (std::is_same_v<Stored, c10::BFloat16>) {
    thread_local Room room;
    float* copy = room.take(count);
    widen_row(row, count, copy);
    work(copy);
    if (is_written) narrow_row(copy, count, row);
  } else {
    work(row);
  }
}

/// Losses of a block of logits [n, V], and their gradients in the logits' place where they are wanted.
void block_losses(torch::Tensor& logit_nV, const std::int64_t* target, const Smoothing& smoothing, bool wants_gradient,
                  double* smoothed, double* plain) {
  RECORD_USER_SCOPE("loss");
  const std::int64_t vocabulary = logit_nV.size(1);
  AT_DISPATCH_FLOATING_TYPES_AND(torch::kBFloat16, logit_nV.scalar_type(), "projected_cross_entropy", [&] {
    auto* logit = logit_nV.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, logit_nV.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        with_row(logit + n * vocabulary, vocabulary, wants_gradient, [&](auto* row) {
          using Scalar = std::remove_pointer_t<decltype(row)>;
          const Scalar target_logit = row[target[n]];
          const auto sums = wants_gradient ? exponentiate_row(row, vocabulary) : row_sums(row, vocabulary);
          const RowLosses losses = row_losses(sums, target_logit, smoothing);
          smoothed[n] = losses.smoothed;
          plain[n] = losses.plain;
          if (!wants_gradient) return;
          const Scalar factor = std::exp(sums.maximum - sums.logsumexp);
          gradient_of_exponentials(factor, static_cast<Scalar>(smoothing.off_target), vocabulary, row);
          row[target[n]] -= static_cast<Scalar>(smoothing.on_target - smoothing.off_target);
        });
      }
    });
  });
}

class ProjectedCrossEntropyFunction : public torch::autograd::Function<ProjectedCrossEntropyFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& state_ND, const torch::Tensor& weight_VD,
                                                const torch::Tensor& target_N, double label_smoothing,
                                                bool wants_gradient) {
    const std::int64_t rows = state_ND.size(0), vocabulary = weight_VD.size(0);
    const Smoothing smoothing(label_smoothing, vocabulary);
    const std::int64_t block_rows = rows_of_block(weight_VD);
    torch::Tensor table_NV =
        torch::empty({wants_gradient ? rows : std::min(block_rows, rows), vocabulary}, state_ND.options());
    torch::Tensor grad_state_ND = wants_gradient ? torch::empty_like(state_ND) : torch::Tensor();
    torch::Tensor smoothed_N = torch::empty({rows}, torch::kFloat64), plain_N = torch::empty({rows}, torch::kFloat64);
    for (std::int64_t first = 0; first < rows; first += block_rows) {
      const std::int64_t count = std::min(block_rows, rows - first);
      torch::Tensor block_nV = table_NV.narrow(0, wants_gradient ? first : 0, count);
      product_out(block_nV, state_ND.narrow(0, first, count), weight_VD.t());
      block_losses(block_nV, target_N.const_data_ptr<std::int64_t>() + first, smoothing, wants_gradient,
                   smoothed_N.mutable_data_ptr<double>() + first, plain_N.mutable_data_ptr<double>() + first);
      if (!wants_gradient) continue;
      torch::Tensor grad_state_nD = grad_state_ND.narrow(0, first, count);
      product_out(grad_state_nD, block_nV, weight_VD);
    }
    if (wants_gradient) {
      torch::Tensor grad_weight_VD = rows > 0 ? torch::empty_like(weight_VD) : torch::zeros_like(weight_VD);
      if (rows > 0) product_out(grad_weight_VD, table_NV.t(), state_ND);
      context->save_for_backward({grad_state_ND, grad_weight_VD});
    }
    const auto type = state_ND.scalar_type() == torch::kBFloat16 ? torch::kFloat32 : state_ND.scalar_type();
    torch::Tensor plain = ordered_sum(plain_N, type);
    context->mark_non_differentiable({plain});
    return {ordered_sum(smoothed_N, type), plain};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const auto saved = context->get_saved_variables();
    const auto scaled = [&](const torch::Tensor& tensor) { return tensor * gradient[0].to(tensor.scalar_type()); };
    return {scaled(saved[0]), scaled(saved[1]), torch::Tensor(), torch::Tensor(), torch::Tensor()};
  }

 private:
  /// As many as leave their logits in the caches.
  static std::int64_t rows_of_block(const torch::Tensor& weight_VD) {
    constexpr std::int64_t bytes = 4 << 20, panel = 96;
    const std::int64_t row_bytes = std::max<std::int64_t>(1, weight_VD.size(0) * weight_VD.element_size());
    return std::max<std::int64_t>(1, bytes / row_bytes / panel) * panel;
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

CrossEntropy projected_cross_entropy(const torch::Tensor& state_ND, const torch::Tensor& weight_VD,
                                     const torch::Tensor& target_N, double label_smoothing) {
  if (!state_ND.is_cpu()) return cross_entropy(torch::linear(state_ND, weight_VD), target_N, label_smoothing);
  const bool wants_gradient = at::GradMode::is_enabled() && (state_ND.requires_grad() || weight_VD.requires_grad());
  const auto sums = ProjectedCrossEntropyFunction::apply(state_ND.contiguous(), weight_VD.contiguous(),
                                                         target_N.contiguous(), label_smoothing, wants_gradient);
  return {sums[0], sums[1]};
}

}  // namespace moe
