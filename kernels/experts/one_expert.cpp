#include "kernels/experts/one_expert.h"

#include "kernels/experts/expert_rows.h"
#include "kernels/gemm/amx_gemm.h"
#include "kernels/gemm/bf16_gemm.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/linear.h"
#include "kernels/gemm/skinny_gemm.h"
#include "kernels/gemm/upcast_gemm.h"
#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

// Legend: N rows, D width, F hidden width.

namespace moe {
namespace {

using c10::BFloat16;

void product(const Bf16View& a, const Bf16View& b, BFloat16* c, const Bf16Epilogue& end = {}) {
  if (has_amx_bf16()) return amx_gemm(a, b, c, b.columns, end);
  prefers_upcast_gemm() ? upcast_gemm(a, b, c, b.columns, end) : bf16_gemm(a, b, c, end);
}

/// c = a b^T + bias, then relu if asked.
void affine_rows(const MatrixView& a, const MatrixView& b, float* c, const float* bias, bool relu) {
  gemm(a, b.transposed(), c, b.rows, {.column_bias = bias, .relu = relu});
}
void affine_rows(const Bf16View& a, const Bf16View& b, BFloat16* c, const BFloat16* bias, bool relu) {
  product(a, b.transposed(), c, {.column_bias = bias, .relu = relu});
}

/// c = a b.
void product(const MatrixView& a, const MatrixView& b, float* c) {
  gemm(a, b, c, b.columns);
}

/// c = a^T b, the gradient of a weight, which only the optimiser reads.
void weight_gradient(const MatrixView& a, const MatrixView& b, float* c) {
  gemm(a.transposed(), b, c, b.columns, {.stream = true});
}
void weight_gradient(const Bf16View& a, const Bf16View& b, BFloat16* c) {
  product(a.transposed(), b, c, {.stream = true});
}

// The forward pass with weights read in place, and the few rows transposed instead.

void forward_transposed(const OneExpert<float>& expert, const float* b1, const float* b2, float* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  // As many rows at a time as the product computes side by side: it need not copy them then.
  const std::int64_t slices = (N + gemm_columns - 1) / gemm_columns;
  const std::int64_t stride = whole_vectors((N + slices - 1) / slices);
  thread_local Workspace workspace;
  float* transposed_DN = workspace.reserve((D + F) * stride);
  float* hidden_FN = transposed_DN + D * stride;
  for (std::int64_t row = 0; row < N; row += stride) {
    const std::int64_t rows = std::min(stride, N - row);
    pack_transposed(row_major(expert.x + row * D, rows, D).transposed(), transposed_DN, stride);
    gemm(row_major(expert.w1, F, D), {transposed_DN, D, rows, stride}, hidden_FN, stride,
         {.relu = true, .row_bias = b1});
    gemm(row_major(expert.w2, D, F), {hidden_FN, F, rows, stride}, transposed_DN, stride, {.row_bias = b2});
    const auto turn = [&](const float* from, std::int64_t columns, float* to) {
      pack_transposed(MatrixView{from, columns, rows, stride}.transposed(), to, columns, /*fills_vectors=*/false);
    };
    turn(transposed_DN, D, y + row * D);
    if (expert.hidden != nullptr) turn(hidden_FN, F, expert.hidden + row * F);
  }
}

void forward_transposed(const OneExpert<BFloat16>& expert, const BFloat16* b1, const BFloat16* b2, BFloat16* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  thread_local Workspace workspace;
  auto* hidden_FN = reinterpret_cast<BFloat16*>(workspace.reserve((D + F) * N / 2));
  BFloat16* y_DN = hidden_FN + F * N;
  product(row_major(expert.w1, F, D), row_major(expert.x, N, D).transposed(), hidden_FN,
          {.relu = true, .row_bias = b1});
  product(row_major(expert.w2, D, F), row_major<BFloat16>(hidden_FN, F, N), y_DN, {.row_bias = b2});
  pack_transposed(row_major<BFloat16>(y_DN, D, N).transposed(), y);
  if (expert.hidden != nullptr) pack_transposed(row_major<BFloat16>(hidden_FN, F, N).transposed(), expert.hidden);
}

// The forward pass of so few rows that vectors run along the summed index.

/// Whether the products of at most most_skinny_rows rows are skinny_gemm. The processor's own bfloat16 products are
/// left theirs.
template <class Scalar>
bool takes_row_dots(const OneExpert<Scalar>& expert) {
  const bool has_type = std::is_same_v<Scalar, float> || prefers_upcast_gemm();
  return has_type && expert.rows <= most_skinny_rows && has_skinny_gemm(expert.hidden_width, expert.width);
}

void forward_by_dots(const OneExpert<float>& expert, const float* b1, const float* b2, float* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  thread_local Workspace workspace;
  float* hidden = expert.hidden != nullptr ? expert.hidden : workspace.reserve(N * F);
  skinny_gemm<float>({expert.x, N, D, expert.w1, F, b1, /*relu=*/true}, hidden);
  skinny_gemm<float>({hidden, N, F, expert.w2, D, b2}, y);
}

void forward_by_dots(const OneExpert<BFloat16>& expert, const BFloat16* b1, const BFloat16* b2, BFloat16* y) {
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  thread_local Workspace wide_workspace, hidden_workspace;
  float* x = wide_workspace.reserve(N * (D + F));
  float* wide_hidden = x + N * D;
  auto* hidden =
      expert.hidden != nullptr ? expert.hidden : reinterpret_cast<BFloat16*>(hidden_workspace.reserve(N * F / 2));
  widen_row(expert.x, N * D, x);
  skinny_gemm<BFloat16>({x, N, D, expert.w1, F, b1, /*relu=*/true}, wide_hidden);
  narrow_row(wide_hidden, N * F, hidden);
  widen_row(hidden, N * F, wide_hidden);  // rounded
  skinny_gemm<BFloat16>({wide_hidden, N, F, expert.w2, D, b2}, x);
  narrow_row(x, N * D, y);
}

}  // namespace

bool has_one_expert(torch::Dtype type, std::int64_t width, std::int64_t hidden_width) {
  const bool has_bf16 = has_avx512_bf16() || prefers_upcast_gemm();
  if (type == torch::kBFloat16) return has_bf16 && width % 2 == 0 && hidden_width % 2 == 0;
  return type == torch::kFloat32 && has_avx2();
}

std::int64_t most_rows_of_one(torch::Dtype type) {
  return has_own_gemm(type) ? std::numeric_limits<std::int64_t>::max() : 256;
}

template <class Scalar>
void one_expert_forward(const OneExpert<Scalar>& expert, const Scalar* b1, const Scalar* b2, Scalar* y) {
  if (takes_row_dots(expert)) {
    forward_by_dots(expert, b1, b2, y);
    return;
  }
  const auto [N, D, F] = std::array{expert.rows, expert.width, expert.hidden_width};
  // With few rows it is cheaper to transpose x, y and the hidden states than to pack both weights, 2 D F elements.
  const std::int64_t transposed_elements = N * (2 * D + (expert.hidden == nullptr ? 0 : F));
  if (transposed_elements <= D * F) {
    forward_transposed(expert, b1, b2, y);
    return;
  }
  thread_local Workspace workspace;
  auto* hidden = expert.hidden != nullptr ? expert.hidden : reinterpret_cast<Scalar*>(workspace.reserve(N * F));
  affine_rows(row_major(expert.x, N, D), row_major(expert.w1, F, D), hidden, b1, /*relu=*/true);
  affine_rows(row_major<Scalar>(hidden, N, F), row_major(expert.w2, D, F), y, b2, /*relu=*/false);
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
