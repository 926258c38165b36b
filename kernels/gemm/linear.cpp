#include "kernels/gemm/linear.h"

#include "kernels/gemm/epilogue.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/select.h"
#include "kernels/simd/scalar_type.h"
#include "kernels/simd/vector_math.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

namespace moe {
namespace {

using torch::Tensor;

/// Whether the rows or the columns lie side by side.
bool is_dense(const Tensor& matrix) {
  return matrix.stride(0) == 1 || matrix.stride(1) == 1;
}

template <class Scalar>
BasicMatrixView<Scalar> view_of(const Tensor& matrix) {
  return {matrix.const_data_ptr<Scalar>(), matrix.size(0), matrix.size(1), matrix.stride(0), matrix.stride(1)};
}

/// Shared out between the threads: ranges of rows, which the thread may have just written, then strips of columns. Most
/// strips are packed again for each range, so ranges are long where strips alone are shared out evenly.
template <class Number, class Scalar>
void multiply(const BasicMatrixView<Scalar>& a, const BasicMatrixView<Scalar>& b, Scalar* c, const Scalar* bias,
              bool relu) {
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t strips = (b.columns + gemm_columns - 1) / gemm_columns;
  const bool is_even = b.columns % (threads * gemm_columns) == 0 || strips >= 4 * threads;
  const std::int64_t fewest_rows = is_even ? 512 : 128;
  const std::int64_t ranges = std::clamp<std::int64_t>(a.rows / fewest_rows, 1, threads);
  const std::int64_t range_rows = (a.rows + ranges - 1) / ranges;
  at::parallel_for(0, strips * ranges, 1, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t row = begin / strips * range_rows, rows = std::min(range_rows, a.rows - row);
      const std::int64_t first = begin % strips, last = std::min(strips, first + end - begin);
      const std::int64_t column = first * gemm_columns;
      const std::int64_t columns = std::min(last * gemm_columns, b.columns) - column;
      if (rows > 0) {
        gemm<Number>(a.row_range(row, rows), b.column_range(column, columns), c + row * b.columns + column, b.columns,
                     {.column_bias = bias_from(bias, column), .relu = relu});
      }
      begin += last - first;
    }
  });
}

/// LibTorch lays a bias out over all rows before it multiplies, and takes the relu in a third pass.
void multiply_and_end(Tensor& c, const Tensor& a, const Tensor& b, const Tensor& bias_N, bool relu) {
  at::mm_out(c, a, b);
  const std::int64_t rows = c.size(0), columns = c.size(1);
  float* data = c.mutable_data_ptr<float>();
  const auto* bias = bias_N.const_data_ptr<float>();
  at::parallel_for(0, rows, rows_at_once(columns), [&](std::int64_t begin, std::int64_t end) {
    for (float* row = data + begin * columns; begin < end; ++begin, row += columns) {
      apply_epilogue(row, columns, bias, /*row_bias=*/0, relu, row);
    }
  });
}

/// Whose product computes c = a b.
Product product_of(const Tensor& c, const Tensor& a, const Tensor& b) {
  const bool is_usable = c.is_cpu() && is_dense(a) && is_dense(b);
  return is_usable ? linear_product(c.scalar_type(), c.size(0)) : Product::library;
}

Tensor affine_rows(const Tensor& x_MK, const Tensor& w_NK, const Tensor& b_N) {
  Tensor y_MN = torch::empty({x_MK.size(0), w_NK.size(0)}, x_MK.options());
  gemm_out(y_MN, x_MK, w_NK.t(), b_N);
  return y_MN;
}

class AffineFunction : public torch::autograd::Function<AffineFunction> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x_MK, const Tensor& w_NK,
                        const std::optional<Tensor>& b_N) {
    context->save_for_backward({x_MK, w_NK});
    context->saved_data["has_bias"] = b_N.has_value();
    return affine_rows(x_MK, w_NK, b_N.value_or(Tensor()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    const auto saved = context->get_saved_variables();
    const Tensor& x_MK = saved[0];
    const Tensor& w_NK = saved[1];
    const Tensor grad_y_MN = gradient[0].contiguous();
    Tensor grad_x_MK, grad_w_NK, grad_b_N;
    if (context->needs_input_grad(0)) {
      grad_x_MK = torch::empty_like(x_MK);
      gemm_out(grad_x_MK, grad_y_MN, w_NK);
    }
    if (context->needs_input_grad(1)) {
      grad_w_NK = torch::empty(w_NK.sizes(), w_NK.options());
      gemm_out(grad_w_NK, grad_y_MN.t(), x_MK);
    }
    const bool has_bias = context->saved_data["has_bias"].toBool();  // one that is missing cannot be asked about
    if (has_bias && context->needs_input_grad(2)) grad_b_N = grad_y_MN.sum(0);
    return {grad_x_MK, grad_w_NK, grad_b_N};
  }
};

}  // namespace

torch::Dtype compute_type(const Tensor& x) {
  const auto device = x.device().type();
  const bool lowered = at::autocast::is_autocast_enabled(device) && x.scalar_type() == torch::kFloat32;
  return lowered ? at::autocast::get_autocast_dtype(device) : x.scalar_type();
}

void gemm_out(Tensor& c, const Tensor& a, const Tensor& b, const Tensor& bias_N, bool relu) {
  RECORD_USER_SCOPE("matrix products");
  const Product product = product_of(c, a, b);
  if (product != Product::library) {
    const auto multiply_as = [&]<class Number, class Scalar>() {
      multiply<Number>(view_of<Scalar>(a), view_of<Scalar>(b), c.mutable_data_ptr<Scalar>(),
                       data_or_null<const Scalar>(bias_N), relu);
    };
    if (c.scalar_type() == torch::kFloat32) {
      multiply_as.operator()<float, float>();
    } else if (product == Product::pairs) {
      multiply_as.operator()<c10::BFloat16, c10::BFloat16>();
    } else {
      multiply_as.operator()<float, c10::BFloat16>();
    }
    return;
  }
  if (bias_N.defined() && c.is_cpu() && c.scalar_type() == torch::kFloat32) {
    multiply_and_end(c, a, b, bias_N.contiguous(), relu);
    return;
  }
  bias_N.defined() ? at::addmm_out(c, bias_N, a, b) : at::mm_out(c, a, b);
  if (relu) c.relu_();
}

Tensor fused_linear(const Tensor& x, const Tensor& w_NK, const Tensor& b_N) {
  const torch::Dtype type = compute_type(x);
  const auto optional = [](const Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; };
  const bool ours = x.is_cpu() && (type == torch::kFloat32 || products_of(type).linear != Product::library);
  if (!ours) return torch::linear(x, w_NK, optional(b_N));
  const Tensor x_MK = x.reshape({-1, x.size(-1)}).to(type).contiguous();
  const Tensor w = w_NK.to(type), b = b_N.defined() ? b_N.to(type) : b_N;
  const Tensor y_MN =
      at::GradMode::is_enabled() ? AffineFunction::apply(x_MK, w, optional(b)) : affine_rows(x_MK, w, b);
  auto shape = x.sizes().vec();
  shape.back() = w_NK.size(0);
  return y_MN.view(shape);
}

}  // namespace moe
