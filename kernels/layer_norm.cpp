#include "kernels/layer_norm.h"

#include "kernels/cuda/row_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/scalar_type.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

// Legend: N rows, D width, K blocks of rows.

namespace moe {
namespace {

using torch::Tensor;

constexpr std::int64_t block_rows = 64;  ///< whose gradients of weight and bias are added up first

struct Moments {
  float mean, inverse_deviation;
};

MOE_VECTOR_CLONES Moments normalise_row(const float* x, const float* weight, const float* bias, std::int64_t width,
                                        float epsilon, float* out) {
  float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < width; ++i) sum += x[i];
  const float mean = sum / static_cast<float>(width);
#pragma omp simd reduction(+ : squares)
  for (std::int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon);
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
  return {mean, inverse};
}

/// A row's gradients: of x, onto that of the residual stream if there is one, and of weight and bias, added up.
struct RowGradients {
  const float* residual;
  float *x, *weight, *bias;
};

MOE_VECTOR_CLONES void normalise_row_backward(const float* x, const Moments& moments, const float* weight,
                                              const float* grad, std::int64_t width, const RowGradients& out) {
  const float mean = moments.mean, inverse = moments.inverse_deviation;
  float* grad_weight = out.weight;
  float* grad_bias = out.bias;
  float sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
  for (std::int64_t i = 0; i < width; ++i) {
    const float normal = (x[i] - mean) * inverse;
    const float weighted = grad[i] * weight[i];
    sum += weighted;
    along += weighted * normal;
    grad_weight[i] += grad[i] * normal;
    grad_bias[i] += grad[i];
  }
  const float mean_sum = sum / static_cast<float>(width), mean_along = along / static_cast<float>(width);
  float* grad_x = out.x;
  if (out.residual == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      grad_x[i] = inverse * (grad[i] * weight[i] - mean_sum - (x[i] - mean) * inverse * mean_along);
    }
  } else {
    const float* residual = out.residual;
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) {
      grad_x[i] = residual[i] + inverse * (grad[i] * weight[i] - mean_sum - (x[i] - mean) * inverse * mean_along);
    }
  }
}

/// Calls work(block, first row, last row) for all blocks of rows, shared out between the threads.
template <class Work>
void for_each_block(std::int64_t rows, Work work) {
  at::parallel_for(0, (rows + block_rows - 1) / block_rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) work(k, k * block_rows, std::min(rows, (k + 1) * block_rows));
  });
}

template <class Scalar>
void normalise(const Tensor& x, const Tensor& weight_D, const Tensor& bias_D, float epsilon, Tensor& out,
               Tensor& moments_N2) {
  const std::int64_t width = weight_D.size(0);
  const auto *from = x.const_data_ptr<float>(), *weight = weight_D.const_data_ptr<float>(),
             *bias = bias_D.const_data_ptr<float>();
  auto* to = out.mutable_data_ptr<Scalar>();
  auto* moments = reinterpret_cast<Moments*>(moments_N2.mutable_data_ptr<float>());
  for_each_block(moments_N2.size(0), [&](std::int64_t, std::int64_t first, std::int64_t last) {
    thread_local Workspace workspace;
    float* row = workspace.reserve(width);
    for (std::int64_t n = first; n < last; ++n) {
      if constexpr (std::is_same_v<Scalar, float>) {
        moments[n] = normalise_row(from + n * width, weight, bias, width, epsilon, to + n * width);
      } else {
        moments[n] = normalise_row(from + n * width, weight, bias, width, epsilon, row);
        narrow_row(row, width, to + n * width);
      }
    }
  });
}

template <class Scalar>
void normalise_backward(const Tensor& x, const Tensor& moments_N2, const Tensor& weight_D, const Tensor& grad_normed,
                        const Tensor& grad_residual, Tensor& grad_x, Tensor& partial_K2D) {
  const std::int64_t width = weight_D.size(0);
  const auto *from = x.const_data_ptr<float>(), *weight = weight_D.const_data_ptr<float>();
  const auto* moments = reinterpret_cast<const Moments*>(moments_N2.const_data_ptr<float>());
  const auto* normed = grad_normed.const_data_ptr<Scalar>();
  const auto* residual = data_or_null<const float>(grad_residual);
  auto *to = grad_x.mutable_data_ptr<float>(), *partial = partial_K2D.mutable_data_ptr<float>();
  for_each_block(moments_N2.size(0), [&](std::int64_t block, std::int64_t first, std::int64_t last) {
    thread_local Workspace workspace;
    float* copy = workspace.reserve(width);
    float* grad_weight = partial + block * 2 * width;
    for (std::int64_t n = first; n < last; ++n) {
      const float* grad = copy;
      if constexpr (std::is_same_v<Scalar, float>) {
        grad = normed + n * width;
      } else {
        widen_row(normed + n * width, width, copy);
      }
      normalise_row_backward(
          from + n * width, moments[n], weight, grad, width,
          {residual == nullptr ? nullptr : residual + n * width, to + n * width, grad_weight, grad_weight + width});
    }
  });
}

void normalise_rows(const Tensor& x, const Tensor& weight_D, const Tensor& bias_D, float epsilon, Tensor& out,
                    Tensor& moments_N2) {
  if constexpr (cuda::is_built) {
    if (x.is_cuda()) return cuda::normalise(x, weight_D, bias_D, epsilon, out, moments_N2);
  }
  with_type_of(out, [&](auto scalar) { normalise<decltype(scalar)>(x, weight_D, bias_D, epsilon, out, moments_N2); });
}

void normalise_rows_backward(const Tensor& x, const Tensor& moments_N2, const Tensor& weight_D,
                             const Tensor& grad_normed, const Tensor& grad_residual, Tensor& grad_x,
                             Tensor& partial_K2D) {
  if constexpr (cuda::is_built) {
    if (x.is_cuda()) {
      return cuda::normalise_backward(x, moments_N2, weight_D, grad_normed, grad_residual, grad_x, partial_K2D);
    }
  }
  with_type_of(grad_normed, [&](auto scalar) {
    normalise_backward<decltype(scalar)>(x, moments_N2, weight_D, grad_normed, grad_residual, grad_x, partial_K2D);
  });
}

class NormedBranchFunction : public torch::autograd::Function<NormedBranchFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const Tensor& x,
                                                const Tensor& weight_D, const Tensor& bias_D, double epsilon,
                                                torch::Dtype dtype) {
    RECORD_USER_SCOPE("layer norm");
    Tensor normed = torch::empty(x.sizes(), x.options().dtype(dtype));
    Tensor moments_N2 = torch::empty({x.numel() / weight_D.size(0), 2}, x.options());
    normalise_rows(x, weight_D, bias_D, static_cast<float>(epsilon), normed, moments_N2);
    context->save_for_backward({x, moments_N2, weight_D});
    context->set_materialize_grads(false);
    return {x.detach(), normed};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    RECORD_USER_SCOPE("layer norm");
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &moments_N2 = saved[1], &weight_D = saved[2];
    if (!gradient[1].defined()) return {gradient[0], Tensor(), Tensor(), Tensor(), Tensor()};
    const Tensor grad_residual = gradient[0].defined() ? gradient[0].contiguous() : gradient[0];
    const Tensor grad_normed = gradient[1].contiguous();
    Tensor grad_x = torch::empty_like(x);
    const std::int64_t blocks = (moments_N2.size(0) + block_rows - 1) / block_rows;
    Tensor partial_K2D = torch::zeros({blocks, 2, weight_D.size(0)}, x.options());
    normalise_rows_backward(x, moments_N2, weight_D, grad_normed, grad_residual, grad_x, partial_K2D);
    const Tensor sum_2D = partial_K2D.sum(0);
    return {grad_x, sum_2D[0], sum_2D[1], Tensor(), Tensor()};
  }
};

}  // namespace

NormedBranch normed_branch(const Tensor& x, const Tensor& weight_D, const Tensor& bias_D, double epsilon,
                           torch::Dtype dtype) {
  if (x.scalar_type() != torch::kFloat32 || !(x.is_cpu() || cuda::takes(x))) {
    return {x, at::layer_norm(x, weight_D.sizes(), weight_D, bias_D, epsilon).to(dtype)};
  }
  const auto results = NormedBranchFunction::apply(x.contiguous(), weight_D, bias_D, epsilon, dtype);
  return {results[0], results[1]};
}

}  // namespace moe
