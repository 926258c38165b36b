#include "kernels/small_product.h"

#include "core/error.h"
#include "kernels/vector_math.h"

namespace moe {
namespace {

// As many floats as the widest register holds; with AVX2 the compiler makes two registers of it.
using Lanes = float __attribute__((vector_size(4 * small_product_lanes), aligned(4)));

struct Product {
  MatrixView a, b;
  float* c;
  SmallProductEnd end;
};

/// R rows by C vectors of the result. Every loop over them is unrolled, so that they stay in registers.
template <int R, int C>
MOE_INLINE void tile(const Product& p, std::int64_t row, std::int64_t column) {
  const std::int64_t depth = p.a.columns, a_row = p.a.row_stride, a_depth = p.a.column_stride, b_row = p.b.row_stride;
  const float* a = p.a.data + row * a_row;
  const float* b = p.b.data + column;
  Lanes sum[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sum[r][c] = Lanes{} + (p.end.row_bias == nullptr ? 0.0F : p.end.row_bias[row + r]);
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    if (a_depth == 1 && k % small_product_lanes == 0) {  // the rows of the next tile, a cache line at a time
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) __builtin_prefetch(a + (R + r) * a_row + k);
    }
    Lanes values[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) values[c] = *reinterpret_cast<const Lanes*>(b + k * b_row + c * small_product_lanes);
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
      const Lanes value = p.end.relu ? (sum[r][c] > 0 ? sum[r][c] : Lanes{}) : sum[r][c];
      *reinterpret_cast<Lanes*>(p.c + (row + r) * p.b.columns + column + c * small_product_lanes) = value;
    }
  }
}

/// All rows of C vectors of columns, or of as many as are left.
template <int R, int C>
MOE_INLINE void strip(const Product& p, std::int64_t column) {
  if (p.b.columns - column < C * small_product_lanes) {
    if constexpr (C > 1) strip<R, C - 1>(p, column);
    return;
  }
  std::int64_t row = 0;
  for (; row + R <= p.a.rows; row += R) tile<R, C>(p, row, column);
  for (; row < p.a.rows; ++row) tile<1, C>(p, row, column);
}

template <int R, int C>
MOE_INLINE void multiply(const Product& p) {
  for (std::int64_t column = 0; column < p.b.columns; column += C * small_product_lanes) strip<R, C>(p, column);
}

using Multiply = void (*)(const Product&);

#if defined(__x86_64__) && defined(__GNUC__)
// 24 of 32 registers of AVX-512, and 12 of 16 of AVX2, hold sums.
__attribute__((target("arch=x86-64-v4"))) void multiply_avx512(const Product& p) {
  multiply<6, 4>(p);
}
__attribute__((target("arch=x86-64-v3"))) void multiply_avx2(const Product& p) {
  multiply<6, 1>(p);
}

// The two levels of the x86-64 ABI by their parts: clang 14 does not know their names here.
bool has_level_3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
bool has_level_4() {
  return has_level_3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

Multiply best_multiply() {
  if (has_level_4()) return multiply_avx512;
  if (has_level_3()) return multiply_avx2;
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

void small_product(const MatrixView& a, const MatrixView& b, float* c, const SmallProductEnd& end) {
  static const Multiply multiply = best_multiply();
  MOE_CHECK(a.columns == b.rows && b.column_stride == 1 && b.columns % small_product_lanes == 0,
            "A small product of [{}, {}] and [{}, {}].", a.rows, a.columns, b.rows, b.columns);
  multiply({a, b, c, end});
}

}  // namespace moe
