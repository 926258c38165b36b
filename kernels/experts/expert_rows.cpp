#include "kernels/experts/expert_rows.h"

#include "kernels/cuda/expert_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/simd/scalar_type.h"
#include "kernels/simd/vector_math.h"

#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <vector>

// Legend: T rows, M assignments, D width, F hidden width.

namespace moe {
namespace {

using torch::Tensor;

constexpr std::int64_t block_columns = 256;  ///< columns whose sums are kept near

/// The assignments of each row, in their order: a counting sort.
class AssignmentsOfRows {
 public:
  AssignmentsOfRows(const std::int64_t* token, std::int64_t assignments, std::int64_t rows)
      : first_(static_cast<std::size_t>(rows) + 1, 0), assignment_(static_cast<std::size_t>(assignments)) {
    for (std::int64_t m = 0; m < assignments; ++m) ++first_[static_cast<std::size_t>(token[m]) + 1];
    for (std::size_t t = 1; t < first_.size(); ++t) first_[t] += first_[t - 1];
    std::vector<std::int64_t> next(first_.begin(), first_.end() - 1);
    for (std::int64_t m = 0; m < assignments; ++m) {
      assignment_[static_cast<std::size_t>(next[static_cast<std::size_t>(token[m])]++)] = m;
    }
  }

  const std::int64_t* begin(std::int64_t row) const {
    return assignment_.data() + first_[static_cast<std::size_t>(row)];
  }
  const std::int64_t* end(std::int64_t row) const {
    return assignment_.data() + first_[static_cast<std::size_t>(row) + 1];
  }

 private:
  std::vector<std::int64_t> first_, assignment_;
};

template <class Scalar>
MOE_INLINE void combine_row(const Scalar* y, const Scalar* weight, const std::int64_t* assignment,
                            const std::int64_t* end, std::int64_t columns, Scalar* out) {
  if (weight == nullptr && end == assignment + 1) {
    std::copy_n(y + *assignment * columns, columns, out);
    return;
  }
  using Sum = at::opmath_type<Scalar>;
  std::array<Sum, block_columns> sum{};
  for (std::int64_t start = 0; start < columns; start += block_columns) {
    const std::int64_t length = std::min(block_columns, columns - start);
    std::fill_n(sum.begin(), length, Sum{0});
    for (const std::int64_t* m = assignment; m != end; ++m) {
      const Sum factor = weight == nullptr ? Sum{1} : static_cast<Sum>(weight[*m]);
      const Scalar* row = y + *m * columns + start;
      for (std::int64_t i = 0; i < length; ++i) sum[static_cast<std::size_t>(i)] += factor * static_cast<Sum>(row[i]);
    }
    for (std::int64_t i = 0; i < length; ++i) out[start + i] = static_cast<Scalar>(sum[static_cast<std::size_t>(i)]);
  }
}

/// grad_y = weight * grad; returns the sum of grad * y, or 0 without y.
template <class Scalar>
MOE_INLINE at::opmath_type<Scalar> spread_row(const Scalar* grad, at::opmath_type<Scalar> weight, const Scalar* y,
                                              std::int64_t columns, Scalar* grad_y) {
  using Sum = at::opmath_type<Scalar>;
  for (std::int64_t i = 0; i < columns; ++i) grad_y[i] = static_cast<Scalar>(weight * static_cast<Sum>(grad[i]));
  Sum sum = 0;
  if (y == nullptr) return sum;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < columns; ++i) sum += static_cast<Sum>(grad[i]) * static_cast<Sum>(y[i]);
  return sum;
}

/// Columns [start, start + length), length at most `block_columns`.
template <class Scalar>
MOE_INLINE void relu_backward_block(Scalar* grad, const Scalar* hidden, std::int64_t rows, std::int64_t columns,
                                    std::int64_t start, std::int64_t length, Scalar* grad_bias) {
  using Sum = at::opmath_type<Scalar>;
  std::array<Sum, block_columns> sum{};
  for (std::int64_t m = 0; m < rows; ++m) {
    Scalar* g = grad + m * columns + start;
    const Scalar* h = hidden + m * columns + start;
    for (std::int64_t i = 0; i < length; ++i) {
      const Scalar kept = h[i] > Scalar(0) ? g[i] : Scalar(0);
      g[i] = kept;
      sum[static_cast<std::size_t>(i)] += static_cast<Sum>(kept);
    }
  }
  for (std::int64_t i = 0; i < length; ++i) {
    grad_bias[start + i] = static_cast<Scalar>(sum[static_cast<std::size_t>(i)]);
  }
}

// Clones cannot be templates, so the types of training have their entries; float64 is for checking.
MOE_VECTOR_CLONES void combine(const float* y, const float* weight, const std::int64_t* assignment,
                               const std::int64_t* end, std::int64_t columns, float* out) {
  combine_row(y, weight, assignment, end, columns, out);
}
MOE_VECTOR_CLONES void combine(const c10::BFloat16* y, const c10::BFloat16* weight, const std::int64_t* assignment,
                               const std::int64_t* end, std::int64_t columns, c10::BFloat16* out) {
  combine_row(y, weight, assignment, end, columns, out);
}
void combine(const double* y, const double* weight, const std::int64_t* assignment, const std::int64_t* end,
             std::int64_t columns, double* out) {
  combine_row(y, weight, assignment, end, columns, out);
}
MOE_VECTOR_CLONES float spread(const float* grad, float weight, const float* y, std::int64_t columns, float* grad_y) {
  return spread_row(grad, weight, y, columns, grad_y);
}
MOE_VECTOR_CLONES float spread(const c10::BFloat16* grad, float weight, const c10::BFloat16* y, std::int64_t columns,
                               c10::BFloat16* grad_y) {
  return spread_row(grad, weight, y, columns, grad_y);
}
double spread(const double* grad, double weight, const double* y, std::int64_t columns, double* grad_y) {
  return spread_row(grad, weight, y, columns, grad_y);
}
MOE_VECTOR_CLONES void relu_backward(float* grad, const float* hidden, std::int64_t rows, std::int64_t columns,
                                     std::int64_t start, std::int64_t length, float* grad_bias) {
  relu_backward_block(grad, hidden, rows, columns, start, length, grad_bias);
}
MOE_VECTOR_CLONES void relu_backward(c10::BFloat16* grad, const c10::BFloat16* hidden, std::int64_t rows,
                                     std::int64_t columns, std::int64_t start, std::int64_t length,
                                     c10::BFloat16* grad_bias) {
  relu_backward_block(grad, hidden, rows, columns, start, length, grad_bias);
}
void relu_backward(double* grad, const double* hidden, std::int64_t rows, std::int64_t columns, std::int64_t start,
                   std::int64_t length, double* grad_bias) {
  relu_backward_block(grad, hidden, rows, columns, start, length, grad_bias);
}

Tensor in_type_of(const Tensor& weight_M, const Tensor& rows) {
  return weight_M.defined() ? weight_M.to(rows.scalar_type()).contiguous() : weight_M;
}

}  // namespace

template <class Scalar>
void relu_backward_rows(Scalar* grad, const Scalar* hidden, std::int64_t rows, std::int64_t columns,
                        Scalar* grad_bias) {
  for (std::int64_t start = 0; start < columns; start += block_columns) {
    relu_backward(grad, hidden, rows, columns, start, std::min(block_columns, columns - start), grad_bias);
  }
}

template <class Scalar>
void sum_rows(const Scalar* in, std::int64_t rows, std::int64_t columns, Scalar* out) {
  std::array<float, block_columns> sum{};
  for (std::int64_t start = 0; start < columns; start += block_columns) {
    const std::int64_t length = std::min(block_columns, columns - start);
    sum.fill(0);
    for (std::int64_t r = 0; r < rows; ++r) {
      const Scalar* row = in + r * columns + start;
      for (std::int64_t i = 0; i < length; ++i) sum[static_cast<std::size_t>(i)] += static_cast<float>(row[i]);
    }
    for (std::int64_t i = 0; i < length; ++i) out[start + i] = static_cast<Scalar>(sum[static_cast<std::size_t>(i)]);
  }
}

template void relu_backward_rows(float*, const float*, std::int64_t, std::int64_t, float*);
template void relu_backward_rows(c10::BFloat16*, const c10::BFloat16*, std::int64_t, std::int64_t, c10::BFloat16*);
template void sum_rows(const float*, std::int64_t, std::int64_t, float*);
template void sum_rows(const c10::BFloat16*, std::int64_t, std::int64_t, c10::BFloat16*);

template <class Scalar>
void permute_rows(const Scalar* x, const std::int64_t* token, std::int64_t assignments, std::int64_t columns,
                  Scalar* out) {
  at::parallel_for(0, assignments, rows_at_once(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) std::copy_n(x + token[m] * columns, columns, out + m * columns);
  });
}

template <class Scalar>
void scatter_rows(const Scalar* y, const Scalar* weight, const std::int64_t* token, std::int64_t assignments,
                  std::int64_t columns, Scalar* out) {
  at::parallel_for(0, assignments, rows_at_once(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) combine(y, weight, &m, &m + 1, columns, out + token[m] * columns);
  });
}

template void permute_rows(const float*, const std::int64_t*, std::int64_t, std::int64_t, float*);
template void permute_rows(const c10::BFloat16*, const std::int64_t*, std::int64_t, std::int64_t, c10::BFloat16*);
template void scatter_rows(const float*, const float*, const std::int64_t*, std::int64_t, std::int64_t, float*);
template void scatter_rows(const c10::BFloat16*, const c10::BFloat16*, const std::int64_t*, std::int64_t, std::int64_t,
                           c10::BFloat16*);

Tensor unpermute_rows(const Tensor& y_MD, const Tensor& token_M, const Tensor& weight_M, std::int64_t rows) {
  RECORD_USER_SCOPE("rows");
  const std::int64_t columns = y_MD.size(1);
  const Tensor weight = in_type_of(weight_M, y_MD);
  if constexpr (cuda::is_built) {
    if (cuda::takes(y_MD)) return cuda::combine_rows(y_MD, token_M, weight, rows);
  }
  if (!y_MD.is_cpu()) {
    const Tensor out_TD = torch::zeros({rows, columns}, y_MD.options());
    return out_TD.index_add(0, token_M, weight.defined() ? y_MD * weight.unsqueeze(1) : y_MD);
  }
  const AssignmentsOfRows of_rows(token_M.const_data_ptr<std::int64_t>(), token_M.size(0), rows);
  Tensor out_TD = torch::empty({rows, columns}, y_MD.options());
  AT_DISPATCH_FLOATING_TYPES_AND(torch::kBFloat16, y_MD.scalar_type(), "combine_rows", [&] {
    const scalar_t* y = y_MD.const_data_ptr<scalar_t>();
    const scalar_t* factor = data_or_null<const scalar_t>(weight);
    auto* out = out_TD.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, rows, rows_at_once(columns), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        combine(y, factor, of_rows.begin(t), of_rows.end(t), columns, out + t * columns);
      }
    });
  });
  return out_TD;
}

UnpermuteGradients unpermute_rows_backward(const Tensor& grad_TD, const Tensor& token_M, const Tensor& weight_M,
                                           const Tensor& y_MD) {
  RECORD_USER_SCOPE("rows");
  const Tensor weight = in_type_of(weight_M, grad_TD);
  if constexpr (cuda::is_built) {
    if (cuda::takes(grad_TD)) {
      const auto [grad_y_MD, grad_weight_M] = cuda::spread_rows(grad_TD, token_M, weight, y_MD);
      return {grad_y_MD, grad_weight_M.defined() ? grad_weight_M.to(weight_M.scalar_type()) : Tensor()};
    }
  }
  if (!grad_TD.is_cpu()) {
    const Tensor grad_MD = grad_TD.index_select(0, token_M);
    return {weight.defined() ? grad_MD * weight.unsqueeze(1) : grad_MD,
            y_MD.defined() ? (grad_MD * y_MD).sum(1, false, weight_M.scalar_type()) : Tensor()};
  }
  const Tensor grad = grad_TD.contiguous();
  const std::int64_t assignments = token_M.size(0), columns = grad.size(1);
  UnpermuteGradients gradients{torch::empty({assignments, columns}, grad.options()), {}};
  Tensor grad_weight_M;
  AT_DISPATCH_FLOATING_TYPES_AND(torch::kBFloat16, grad.scalar_type(), "combine_rows_backward", [&] {
    using Sum = at::opmath_type<scalar_t>;
    const auto* token = token_M.const_data_ptr<std::int64_t>();
    const scalar_t* from = grad.const_data_ptr<scalar_t>();
    const scalar_t* factor = data_or_null<const scalar_t>(weight);
    const scalar_t* y = data_or_null<const scalar_t>(y_MD);
    auto* to = gradients.y_MD.mutable_data_ptr<scalar_t>();
    if (y_MD.defined())
      grad_weight_M = torch::empty({assignments}, grad.options().dtype(c10::CppTypeToScalarType<Sum>::value));
    Sum* grad_weight = y_MD.defined() ? grad_weight_M.mutable_data_ptr<Sum>() : nullptr;
    at::parallel_for(0, assignments, rows_at_once(columns), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t m = begin; m < end; ++m) {
        const Sum sum = spread(from + token[m] * columns, factor == nullptr ? Sum{1} : static_cast<Sum>(factor[m]),
                               y == nullptr ? nullptr : y + m * columns, columns, to + m * columns);
        if (grad_weight != nullptr) grad_weight[m] = sum;
      }
    });
  });
  if (grad_weight_M.defined()) gradients.weight_M = grad_weight_M.to(weight_M.scalar_type());
  return gradients;
}

void relu_backward_(Tensor& grad_MF, const Tensor& hidden_MF, Tensor& grad_bias_F) {
  RECORD_USER_SCOPE("rows");
  if (!grad_MF.is_cpu()) {
    at::threshold_backward_out(grad_MF, grad_MF, hidden_MF, 0);
    at::sum_out(grad_bias_F, grad_MF, 0);
    return;
  }
  const std::int64_t rows = grad_MF.size(0), columns = grad_MF.size(1);
  AT_DISPATCH_FLOATING_TYPES_AND(torch::kBFloat16, grad_MF.scalar_type(), "relu_backward_", [&] {
    auto* grad = grad_MF.mutable_data_ptr<scalar_t>();
    const scalar_t* hidden = hidden_MF.const_data_ptr<scalar_t>();
    auto* bias = grad_bias_F.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, (columns + block_columns - 1) / block_columns, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        relu_backward(grad, hidden, rows, columns, b * block_columns,
                      std::min(block_columns, columns - b * block_columns), bias);
      }
    });
  });
}

}  // namespace moe
