#include "kernels/experts/one_expert.h"

#include "kernels/experts/expert_rows.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/pack.h"
#include "kernels/gemm/select.h"
#include "kernels/gemm/skinny_gemm.h"
#include "kernels/gemm/small_gemm.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <array>

// Legend: N rows, D width, F hidden width.

namespace moe {
namespace {

using c10::BFloat16;

/// c = end(a b), c contiguous.
template <class Scalar>
void product(const BasicMatrixView<Scalar>& a, const BasicMatrixView<Scalar>& b, Scalar* c,
             const Epilogue<Scalar>& end = {}) {
  with_numbers_of<Scalar>([&](auto number) { gemm<decltype(number)>(a, b, c, b.columns, end); });
}

/// c = a^T b, the gradient of a weight, which only the optimiser reads.
template <class Scalar>
void weight_gradient(const BasicMatrixView<Scalar>& a, const BasicMatrixView<Scalar>& b, Scalar* c) {
  constexpr torch::Dtype type = c10::CppTypeToScalarType<Scalar>::value;
  if (gradient_takes_small_gemm(type, a.rows, b.columns)) {
    small_gemm(a.transposed(), b, c, b.columns, /*non_temporal=*/true);
  } else {
    product(a.transposed(), b, c, {.non_temporal = true});
  }
}

// The forward pass with weights read in place, and the few rows transposed instead: side by side in whole vectors,
// which gemm need not copy.

/// out[c, r] = in[r, c] for [rows, columns] at the start of rows `in_stride` apart, to contiguous ones.
void transpose_rows(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns, float* out) {
  transpose(in, in_stride, rows, columns, out, rows);
}
void transpose_rows(const BFloat16* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns,
                    BFloat16* out) {
  pack_rows(Bf16View{in, rows, columns, in_stride}.transposed(), columns, rows, rows, out);
}

template <class Scalar>
void forward_transposed(const OneExpert<Scalar>& expert, const Scalar* b1, const Scalar* b2, Scalar* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  // So many rows at a time that their workspace stays in the second cache.
  const std::int64_t slices = (N + gemm_columns - 1) / gemm_columns;
  const std::int64_t stride = round_up((N + slices - 1) / slices, vector_floats);
  thread_local Workspace workspace;
  Scalar* hidden_FN = workspace.reserve<Scalar>((D + F) * stride);
  Scalar* transposed_DN = hidden_FN + F * stride;  // x, then y
  for (std::int64_t row = 0; row < N; row += stride) {
    const std::int64_t rows = std::min(stride, N - row);
    pack_rows(row_major(expert.x + row * D, rows, D).transposed(), D, stride, stride, transposed_DN);
    product<Scalar>(row_major(expert.w1, F, D), row_major<Scalar>(transposed_DN, D, stride), hidden_FN,
                    {.relu = true, .row_bias = b1});
    product<Scalar>(row_major(expert.w2, D, F), row_major<Scalar>(hidden_FN, F, stride), transposed_DN,
                    {.row_bias = b2});
    transpose_rows(transposed_DN, stride, D, rows, y + row * D);
    if (expert.hidden != nullptr) transpose_rows(hidden_FN, stride, F, rows, expert.hidden + row * F);
  }
}

// The forward pass of so few rows that vectors run along K.

void forward_skinny(const OneExpert<float>& expert, const float* b1, const float* b2, float* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  thread_local Workspace workspace;
  float* hidden = expert.hidden != nullptr ? expert.hidden : workspace.reserve(N * F);
  skinny_gemm<float>({expert.x, N, D, expert.w1, F, b1, /*relu=*/true}, hidden);
  skinny_gemm<float>({hidden, N, F, expert.w2, D, b2}, y);
}

void forward_skinny(const OneExpert<BFloat16>& expert, const BFloat16* b1, const BFloat16* b2, BFloat16* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  thread_local Workspace wide_workspace, hidden_workspace;
  float* x = wide_workspace.reserve(N * (D + F));
  float* wide_hidden = x + N * D;
  auto* hidden = expert.hidden != nullptr ? expert.hidden : hidden_workspace.reserve<BFloat16>(N * F);
  widen_row(expert.x, N * D, x);
  skinny_gemm<BFloat16>({x, N, D, expert.w1, F, b1, /*relu=*/true}, wide_hidden);
  narrow_row(wide_hidden, N * F, hidden);
  widen_row(hidden, N * F, wide_hidden);  // rounded
  skinny_gemm<BFloat16>({wide_hidden, N, F, expert.w2, D, b2}, x);
  narrow_row(x, N * D, y);
}

}  // namespace

template <class Scalar>
void one_expert_forward(const OneExpert<Scalar>& expert, const Scalar* b1, const Scalar* b2, Scalar* y) {
  const torch::Dtype type = c10::CppTypeToScalarType<Scalar>::value;
  if (takes_skinny_gemm(type, expert.rows, expert.width, expert.hidden_width)) {
    forward_skinny(expert, b1, b2, y);
    return;
  }
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  // With few rows it is cheaper to transpose x, y and the hidden states than to pack both weights, 2 D F elements; with
  // more the weights would be read once for every slice of them.
  const std::int64_t transposed_elements = N * (2 * D + (expert.hidden == nullptr ? 0 : F));
  if (2 * transposed_elements <= D * F) {
    forward_transposed(expert, b1, b2, y);
    return;
  }
  thread_local Workspace workspace;
  auto* hidden = expert.hidden != nullptr ? expert.hidden : workspace.reserve<Scalar>(N * F);
  product<Scalar>(row_major(expert.x, N, D), row_major(expert.w1, F, D).transposed(), hidden,
                  {.column_bias = b1, .relu = true});
  product<Scalar>(row_major<Scalar>(hidden, N, F), row_major(expert.w2, D, F).transposed(), y, {.column_bias = b2});
}

template <class Scalar>
void one_expert_backward(const OneExpert<Scalar>& expert, const Scalar* grad_y,
                         const OneExpertGradients<Scalar>& gradients) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  const Scalar* hidden = expert.hidden;
  const Scalar* grad_hidden = gradients.hidden;
  sum_rows(grad_y, N, D, gradients.b2);
  weight_gradient(row_major(grad_y, N, D), row_major(hidden, N, F), gradients.w2);
  product(row_major(grad_y, N, D), row_major(expert.w2, D, F), gradients.hidden);
  relu_backward_rows(gradients.hidden, hidden, N, F, gradients.b1);
  weight_gradient(row_major(grad_hidden, N, F), row_major(expert.x, N, D), gradients.w1);
  product(row_major(grad_hidden, N, F), row_major(expert.w1, F, D), gradients.x);
}

template void one_expert_forward(const OneExpert<float>&, const float*, const float*, float*);
template void one_expert_forward(const OneExpert<BFloat16>&, const BFloat16*, const BFloat16*, BFloat16*);
template void one_expert_backward(const OneExpert<float>&, const float*, const OneExpertGradients<float>&);
template void one_expert_backward(const OneExpert<BFloat16>&, const BFloat16*, const OneExpertGradients<BFloat16>&);

}  // namespace moe
