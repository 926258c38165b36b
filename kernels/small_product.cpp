#include "kernels/small_product.h"

#include "core/error.h"
#include "kernels/vector_math.h"

#include <array>

namespace moe {
namespace {

// As many floats as the widest register holds; with AVX2 the compiler makes two registers of it.
using Lanes = float __attribute__((vector_size(4 * small_product_lanes), aligned(4)));

/// R rows by C vectors of the result. Every loop over them is unrolled, so that they stay in registers.
template <int R, int C>
MOE_INLINE void tile(const SmallProduct& p, std::int64_t row, std::int64_t column) {
  const auto [a_row, a_depth, b_depth, depth] = std::array{p.a_row, p.a_depth, p.b_depth, p.depth};
  const float* a = p.a + row * a_row;
  const float* b = p.b + column;
  Lanes sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = Lanes{} + (p.bias == nullptr ? 0.0F : p.bias[row + r]);
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    if (a_depth == 1 && k % small_product_lanes == 0) {  // the rows of the next tile, a cache line at a time
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) __builtin_prefetch(a + (R + r) * a_row + k);
    }
    Lanes values[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) values[c] = *reinterpret_cast<const Lanes*>(b + k * b_depth + c * small_product_lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float factor = a[r * a_row + k * a_depth];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sum[r][c] += factor * values[c];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const Lanes value = p.relu ? (sum[r][c] > 0 ? sum[r][c] : Lanes{}) : sum[r][c];
      *reinterpret_cast<Lanes*>(p.c + (row + r) * p.c_row + column + c * small_product_lanes) = value;
    }
  }
}

/// All rows of C vectors of columns, or of as many as are left.
template <int R, int C>
MOE_INLINE void strip(const SmallProduct& p, std::int64_t column) {
  if (p.columns - column < C * small_product_lanes) {
    if constexpr (C > 1) strip<R, C - 1>(p, column);
    return;
  }
  std::int64_t row = 0;
  for (; row + R <= p.rows; row += R) tile<R, C>(p, row, column);
  for (; row < p.rows; ++row) tile<1, C>(p, row, column);
}

template <int R, int C>
MOE_INLINE void multiply(const SmallProduct& p) {
  for (std::int64_t column = 0; column < p.columns; column += C * small_product_lanes) strip<R, C>(p, column);
}

using Multiply = void (*)(const SmallProduct&);

#if defined(__x86_64__) && defined(__GNUC__)
// 24 of 32 registers of AVX-512, and 12 of 16 of AVX2, hold sums.
__attribute__((target("arch=x86-64-v4"))) void multiply_avx512(const SmallProduct& p) {
  multiply<6, 4>(p);
}
__attribute__((target("arch=x86-64-v3"))) void multiply_avx2(const SmallProduct& p) {
  multiply<6, 1>(p);
}

Multiply best_multiply() {
  if (__builtin_cpu_supports("x86-64-v4")) return multiply_avx512;
  if (__builtin_cpu_supports("x86-64-v3")) return multiply_avx2;
  return nullptr;
}
#else
Multiply best_multiply() {
  return nullptr;
}
#endif

}  // namespace

bool has_small_product() {
  static const bool has = best_multiply() != nullptr;
  return has;
}

void small_product(const SmallProduct& product) {
  static const Multiply multiply = best_multiply();
  MOE_CHECK(product.columns % small_product_lanes == 0, "A small product of {} columns: not a multiple of {}.",
            product.columns, small_product_lanes);
  multiply(product);
}

}  // namespace moe
