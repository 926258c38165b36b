#include "kernels/losses/fused_linear_losses.h"

#include "core/error.h"
#include "kernels/cuda/row_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/gemm/linear.h"
#include "kernels/gemm/select.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/loss_rows.h"
#include "kernels/losses/symmetric_kl.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/workspace.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <type_traits>

// Legend: P passes, N rows (target tokens), V vocabulary, D width; p, q the distributions of a row in the two passes.

namespace moe {
namespace {

constexpr std::int64_t most_passes = 2;

/// Two rows of logits and exp(logit - maximum), and the gradients that take the logits' place.
template <class Scalar>
struct RowPair {
  Scalar *first, *second;
  const Scalar *first_exponential, *second_exponential;
  Scalar first_logsumexp, second_logsumexp;
  Scalar first_scale, second_scale;  ///< of exponentials to probabilities

  MOE_INLINE Scalar p(std::int64_t v) const { return first_exponential[v] * first_scale; }
  MOE_INLINE Scalar q(std::int64_t v) const { return second_exponential[v] * second_scale; }
  /// log p - log q
  MOE_INLINE Scalar log_ratio(std::int64_t v) const {
    return (first[v] - first_logsumexp) - (second[v] - second_logsumexp);
  }
};

template <class Scalar>
struct Divergence {
  Scalar forward, backward;  ///< KL(p || q), KL(q || p)
};

template <class Scalar>
MOE_INLINE Divergence<Scalar> divergence(const RowPair<Scalar>& row, std::int64_t vocabulary) {
  Scalar forward = 0, backward = 0;
#pragma omp simd reduction(+ : forward, backward)
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar ratio = row.log_ratio(v);
    forward += row.p(v) * ratio;
    backward -= row.q(v) * ratio;
  }
  return {forward, backward};
}

/// Of cross entropy before the target's own part, and of `consistency` times the mean of both divergences.
/// d KL(p || q) / d a_j = p_j (log p_j - log q_j - KL(p || q)) and d KL(q || p) / d a_j = p_j - q_j for logits a of p.
template <class Scalar>
MOE_INLINE void pair_gradient(const RowPair<Scalar>& row, const Divergence<Scalar>& kl, Scalar off_target,
                              Scalar consistency, std::int64_t vocabulary) {
  const Scalar half = consistency / 2;
#pragma omp simd
  for (std::int64_t v = 0; v < vocabulary; ++v) {
    const Scalar p = row.p(v), q = row.q(v), ratio = row.log_ratio(v);
    row.first[v] = p - off_target + half * (p * (ratio - kl.forward) + p - q);
    row.second[v] = q - off_target + half * (q * (-ratio - kl.backward) + q - p);
  }
}

template <class Scalar>
MOE_INLINE void scale_and_shift(Scalar factor, Scalar shift, std::int64_t vocabulary, Scalar* row) {
#pragma omp simd
  for (std::int64_t v = 0; v < vocabulary; ++v) row[v] = row[v] * factor - shift;
}

// Clones cannot be templates, so each type has its entry.
MOE_VECTOR_CLONES RowSums<float> exponentiate_row(const float* row, std::int64_t vocabulary, float* exponential) {
  return sum_row<true>(row, vocabulary, exponential);
}
RowSums<double> exponentiate_row(const double* row, std::int64_t vocabulary, double* exponential) {
  return sum_row<true>(row, vocabulary, exponential);
}
MOE_VECTOR_CLONES void gradient_of_exponentials(float factor, float off_target, std::int64_t vocabulary, float* row) {
  scale_and_shift(factor, off_target, vocabulary, row);
}
void gradient_of_exponentials(double factor, double off_target, std::int64_t vocabulary, double* row) {
  scale_and_shift(factor, off_target, vocabulary, row);
}
MOE_VECTOR_CLONES Divergence<float> row_divergence(const RowPair<float>& row, std::int64_t vocabulary) {
  return divergence(row, vocabulary);
}
Divergence<double> row_divergence(const RowPair<double>& row, std::int64_t vocabulary) {
  return divergence(row, vocabulary);
}
MOE_VECTOR_CLONES void row_pair_gradient(const RowPair<float>& row, const Divergence<float>& kl, float off_target,
                                         float consistency, std::int64_t vocabulary) {
  pair_gradient(row, kl, off_target, consistency, vocabulary);
}
void row_pair_gradient(const RowPair<double>& row, const Divergence<double>& kl, double off_target, double consistency,
                       std::int64_t vocabulary) {
  pair_gradient(row, kl, off_target, consistency, vocabulary);
}

struct TokenLosses {
  double smoothed = 0, plain = 0, divergence = 0;
};

struct Weights {
  Smoothing smoothing;
  double consistency;
};

/// The losses of a target token, whose logits in each pass are turned into their gradients.
template <class Scalar>
TokenLosses token_losses(const std::array<Scalar*, most_passes>& logit, std::int64_t passes, std::int64_t vocabulary,
                         std::int64_t target, const Weights& weights) {
  // Two passes need logits and exponentials at once.
  thread_local Workspace workspace;
  constexpr std::int64_t floats = std::is_same_v<Scalar, float> ? 1 : 2;  // that take the workspace of a Scalar
  Scalar* kept = passes == 1 ? nullptr : reinterpret_cast<Scalar*>(workspace.reserve(passes * vocabulary * floats));
  std::array<RowSums<Scalar>, most_passes> sums{};
  std::array<Scalar, most_passes> scale{};
  TokenLosses losses;
  for (std::size_t p = 0; p < static_cast<std::size_t>(passes); ++p) {
    const Scalar target_logit = logit[p][target];
    sums[p] = exponentiate_row(logit[p], vocabulary,
                               kept == nullptr ? logit[p] : kept + static_cast<std::int64_t>(p) * vocabulary);
    scale[p] = std::exp(sums[p].maximum - sums[p].logsumexp);
    const RowLosses row = row_losses(sums[p], target_logit, weights.smoothing);
    losses.smoothed += row.smoothed;
    losses.plain += row.plain;
  }
  const auto off_target = static_cast<Scalar>(weights.smoothing.off_target);
  if (passes == 1) {
    gradient_of_exponentials(scale[0], off_target, vocabulary, logit[0]);
  } else {
    const RowPair<Scalar> row{logit[0],          logit[1],          kept,     kept + vocabulary,
                              sums[0].logsumexp, sums[1].logsumexp, scale[0], scale[1]};
    const Divergence<Scalar> kl = row_divergence(row, vocabulary);
    losses.divergence = (static_cast<double>(kl.forward) + static_cast<double>(kl.backward)) / 2;
    row_pair_gradient(row, kl, off_target, static_cast<Scalar>(weights.consistency), vocabulary);
  }
  const auto on_target = static_cast<Scalar>(weights.smoothing.on_target - weights.smoothing.off_target);
  for (std::int64_t p = 0; p < passes; ++p) logit[static_cast<std::size_t>(p)][target] -= on_target;
  return losses;
}

/// The same with rows as they are stored: bfloat16 is computed in float32.
template <class Stored>
TokenLosses stored_token_losses(Stored* first, std::int64_t pass_stride, std::int64_t passes, std::int64_t vocabulary,
                                std::int64_t target, const Weights& weights) {
  if constexpr (std::is_same_v<Stored, c10::BFloat16>) {
    thread_local Workspace workspace;
    float* copy = workspace.reserve(passes * vocabulary);
    widen_rows(first, pass_stride, passes, vocabulary, copy);
    const TokenLosses losses =
        token_losses<float>({copy, copy + (passes - 1) * vocabulary}, passes, vocabulary, target, weights);
    narrow_rows(copy, vocabulary, passes, vocabulary, first, pass_stride);
    return losses;
  } else {
    return token_losses<Stored>({first, first + (passes - 1) * pass_stride}, passes, vocabulary, target, weights);
  }
}

/// Losses of a block of logits [P, n, V], rows contiguous; their gradients take the logits' place. loss_3N: smoothed,
/// plain and divergence of each row. On a GPU the block is all rows.
void block_losses(torch::Tensor& logit_PnV, const torch::Tensor& target_N, const Weights& weights,
                  std::int64_t first_row, bool wants_gradient, torch::Tensor& loss_3N) {
  RECORD_USER_SCOPE("loss");
  if constexpr (cuda::is_built) {
    if (logit_PnV.is_cuda()) {
      const auto& [on_target, off_target] = weights.smoothing;
      cuda::token_losses(logit_PnV, target_N, {on_target, off_target, static_cast<float>(weights.consistency)},
                         wants_gradient, loss_3N);
      return;
    }
  }
  const std::int64_t passes = logit_PnV.size(0), vocabulary = logit_PnV.size(2);
  const auto* target = target_N.const_data_ptr<std::int64_t>();
  auto* smoothed = loss_3N.mutable_data_ptr<double>() + first_row;
  auto* plain = smoothed + loss_3N.size(1);
  auto* divergence = plain + loss_3N.size(1);
  AT_DISPATCH_FLOATING_TYPES_AND(torch::kBFloat16, logit_PnV.scalar_type(), "projected_losses", [&] {
    auto* logit = logit_PnV.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, logit_PnV.size(1), 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const TokenLosses losses = stored_token_losses(logit + n * vocabulary, logit_PnV.stride(0), passes, vocabulary,
                                                       target[first_row + n], weights);
        smoothed[n] = losses.smoothed;
        plain[n] = losses.plain;
        divergence[n] = losses.divergence;
      }
    });
  });
}

/// smoothed + consistency * divergence, and the three losses by themselves; each added in a fixed order.
torch::autograd::variable_list summed(const torch::Tensor& loss_3N, double consistency, torch::Dtype type) {
  if constexpr (cuda::is_built) {
    if (loss_3N.is_cuda()) {
      const torch::Tensor sum_3 = cuda::sums_of_rows(loss_3N);
      return {(sum_3[0] + consistency * sum_3[2]).to(type), sum_3};
    }
  }
  std::vector<torch::Tensor> sums;
  for (const torch::Tensor& loss_N : loss_3N.unbind(0)) sums.push_back(ordered_sum(loss_N, torch::kFloat64));
  return {ordered_sum(loss_3N[0] + consistency * loss_3N[2], type), torch::stack(sums)};
}

class ProjectedLossesFunction : public torch::autograd::Function<ProjectedLossesFunction> {
 public:
  /// The total, and without gradient smoothed, plain, divergence.
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const torch::Tensor& state_PND, const torch::Tensor& weight_VD,
                                                const torch::Tensor& target_N, double label_smoothing,
                                                double consistency, bool wants_gradient) {
    const std::int64_t passes = state_PND.size(0), rows = state_PND.size(1), vocabulary = weight_VD.size(0);
    const Weights weights{Smoothing(label_smoothing, vocabulary), consistency};
    // LibTorch's product packs the weights at every call. On a GPU a block would be a launch of its own.
    const bool cuts =
        state_PND.is_cpu() && (!wants_gradient || products_of(state_PND.scalar_type()).linear != Product::library);
    const std::int64_t block_rows = cuts ? rows_of_block(passes, weight_VD) : rows;
    torch::Tensor table_PNV =
        torch::empty({passes, wants_gradient ? rows : std::min(block_rows, rows), vocabulary}, state_PND.options());
    torch::Tensor grad_state_PND = wants_gradient ? torch::empty_like(state_PND) : torch::Tensor();
    torch::Tensor loss_3N = torch::zeros({3, rows}, state_PND.options().dtype(torch::kFloat64));
    for (std::int64_t first = 0; first < rows; first += block_rows) {
      const std::int64_t count = std::min(block_rows, rows - first);
      torch::Tensor block_PnV = table_PNV.narrow(1, wants_gradient ? first : 0, count);
      for (std::int64_t p = 0; p < passes; ++p) {
        torch::Tensor block_nV = block_PnV[p];
        gemm_out(block_nV, state_PND[p].narrow(0, first, count), weight_VD.t());
      }
      block_losses(block_PnV, target_N, weights, first, wants_gradient, loss_3N);
      if (!wants_gradient) continue;
      for (std::int64_t p = 0; p < passes; ++p) {
        torch::Tensor grad_state_nD = grad_state_PND[p].narrow(0, first, count);
        gemm_out(grad_state_nD, block_PnV[p], weight_VD);
      }
    }
    if (wants_gradient) {
      torch::Tensor grad_weight_VD = rows > 0 ? torch::empty_like(weight_VD) : torch::zeros_like(weight_VD);
      if (rows > 0) gemm_out(grad_weight_VD, table_PNV.flatten(0, 1).t(), state_PND.flatten(0, 1));
      context->save_for_backward({grad_state_PND, grad_weight_VD});
    }
    const bool is_exact = state_PND.scalar_type() == torch::kFloat64;
    torch::autograd::variable_list out = summed(loss_3N, consistency, is_exact ? torch::kFloat64 : torch::kFloat32);
    context->mark_non_differentiable({out[1]});
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const auto saved = context->get_saved_variables();
    const auto scaled = [&](const torch::Tensor& tensor) { return tensor * gradient[0].to(tensor.scalar_type()); };
    torch::autograd::variable_list gradients(6);
    gradients[0] = scaled(saved[0]);
    gradients[1] = scaled(saved[1]);
    return gradients;
  }

 private:
  /// As many as leave their logits in the caches.
  static std::int64_t rows_of_block(std::int64_t passes, const torch::Tensor& weight_VD) {
    constexpr std::int64_t bytes = 4 << 20, panel = 128;
    const std::int64_t row_bytes = std::max<std::int64_t>(1, passes * weight_VD.size(0) * weight_VD.element_size());
    return std::max<std::int64_t>(1, bytes / row_bytes / panel) * panel;
  }
};

/// The same from whole tables of logits, for devices and types that the row kernels do not reach.
FusedLinearLosses losses_of_logits(const torch::Tensor& logit_PNV, const torch::Tensor& target_N,
                                   double label_smoothing, double consistency) {
  FusedLinearLosses losses;
  losses.total = torch::zeros({}, logit_PNV.options().dtype(torch::kFloat32));
  for (const torch::Tensor& logit_NV : logit_PNV.unbind(0)) {
    const CrossEntropy entropy = cross_entropy(logit_NV, target_N, label_smoothing);
    losses.total = losses.total + entropy.smoothed;
    losses.plain += entropy.plain.item<double>();
  }
  losses.smoothed = losses.total.item<double>();
  if (logit_PNV.size(0) == 2) {
    const torch::Tensor divergence = symmetric_kl(logit_PNV[0], logit_PNV[1]);
    losses.divergence = divergence.item<double>();
    losses.total = losses.total + consistency * divergence;
  }
  return losses;
}

}  // namespace

FusedLinearLosses fused_linear_losses(const torch::Tensor& state_PND, const torch::Tensor& weight_VD,
                                      const torch::Tensor& target_N, double label_smoothing, double consistency) {
  MOE_CHECK(state_PND.size(0) == 1 || state_PND.size(0) == most_passes, "Losses of {} passes.", state_PND.size(0));
  if (!state_PND.is_cpu() && !cuda::takes(state_PND)) {
    return losses_of_logits(torch::linear(state_PND, weight_VD), target_N, label_smoothing, consistency);
  }
  const bool wants_gradient = at::GradMode::is_enabled() && (state_PND.requires_grad() || weight_VD.requires_grad());
  const auto sums = ProjectedLossesFunction::apply(state_PND.contiguous(), weight_VD.contiguous(),
                                                   target_N.contiguous(), label_smoothing, consistency, wants_gradient);
  const torch::Tensor read_3 = sums[1].to(torch::kCPU);  // once: each read waits for a GPU
  const auto* read = read_3.const_data_ptr<double>();
  return {sums[0], read[0], read[1], read[2]};
}

}  // namespace moe
