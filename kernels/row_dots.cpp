#include "kernels/row_dots.h"

#include "core/error.h"
#include "kernels/bf16_pairs.h"
#include "kernels/matrix_product.h"
#include "kernels/transpose_block.h"

#include <algorithm>
#include <array>
#include <utility>

// Both operands lie along the summed index, so vectors run along it, none is half empty, and bfloat16 weights are
// widened in registers. Sixteen sums stay in registers: those of N rows with 16 / N rows of the weight.

namespace moe {

bool has_row_dots(std::int64_t columns, std::int64_t depth) {
  return has_avx512_product() && columns % 16 == 0 && depth % 16 == 0;
}

#ifdef MOE_HAS_X86_CODE
namespace {

constexpr std::int64_t lanes = 16;
constexpr int sums = 16;
constexpr std::int64_t bytes_ahead = 8192;  ///< in the weight, fetched while a row is read

MOE_AVX512 inline __m512 load(const float* from) {
  return _mm512_loadu_ps(from);
}
MOE_AVX512 inline __m512 load(const c10::BFloat16* from) {
  return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

/// Of four vectors, the sum of every fourth lane of each, side by side in each quarter.
MOE_AVX512 inline __m512 add_four(const __m512* v) {
  const __m512 first = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
  const __m512 second = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
  const __m512d low = _mm512_castps_pd(first), high = _mm512_castps_pd(second);
  return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(low, high)),
                       _mm512_castpd_ps(_mm512_unpackhi_pd(low, high)));
}

MOE_AVX512 inline __m512 add_quarters(__m512 first, __m512 second) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xDD));
}

/// The sum of the lanes of each of 16 vectors.
MOE_AVX512 inline __m512 add_lanes(const __m512* v) {
  const __m512 first = add_quarters(add_four(v), add_four(v + 4)),
               second = add_quarters(add_four(v + 8), add_four(v + 12));
  return add_quarters(first, second);
}

/// out[r, n] = the product of row n of a and row r of w, for N and 16 / N rows. Writes 16 floats.
template <int N, class Scalar>
MOE_AVX512 void multiply_rows(const float* a, const Scalar* w, std::int64_t depth, float* out) {
  constexpr int R = sums / N;
  __m512 sum[sums];
#pragma GCC unroll 16
  for (__m512& value : sum) value = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < depth; k += lanes) {
    __m512 values[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      values[r] = load(w + r * depth + k);
      __builtin_prefetch(reinterpret_cast<const char*>(w + r * depth + k) + bytes_ahead);
    }
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      const __m512 x = load(a + n * depth + k);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) sum[r * N + n] = _mm512_fmadd_ps(values[r], x, sum[r * N + n]);
    }
  }
  _mm512_storeu_ps(out, add_lanes(sum));
}

/// 16 rows of w. out: [16, N], and room for 16 floats more.
template <int N, class Scalar>
void multiply_panel(const float* a, const Scalar* w, std::int64_t depth, float* out) {
  constexpr std::int64_t rows = sums / N;
  for (std::int64_t r = 0; r < lanes; r += rows) {
    const std::int64_t first = std::min(r, lanes - rows);  // the last may do some rows again
    multiply_rows<N>(a, w + first * depth, depth, out + first * N);
  }
}

constexpr int most_group_rows = 8;

template <class Scalar>
using Panel = void (*)(const float*, const Scalar*, std::int64_t, float*);

template <class Scalar, std::size_t... N>
constexpr std::array<Panel<Scalar>, sizeof...(N)> make_panels(std::index_sequence<N...>) {
  return {multiply_panel<static_cast<int>(N) + 1, Scalar>...};
}
template <class Scalar>
constexpr auto panels = make_panels<Scalar>(std::make_index_sequence<most_group_rows>());

/// Where the sums of a group and 16 rows of the weight are turned.
struct Turned {
  alignas(64) std::array<float, (most_group_rows + 1) * lanes> by_column{};
  alignas(64) std::array<float, most_group_rows * lanes> by_row{};
};

/// Up to 8 rows with 16 rows of the weight, from its row `column` on.
template <class Scalar>
MOE_AVX512 void multiply_group(const RowDots<Scalar>& product, std::int64_t first, std::int64_t rows,
                               std::int64_t column, Turned& turned, float* c) {
  auto& [by_column, by_row] = turned;
  panels<Scalar>[static_cast<std::size_t>(rows - 1)](
      product.a + first * product.depth, product.w + column * product.depth, product.depth, by_column.data());
  transpose_block(by_column.data(), rows, lanes, first_lanes(rows), by_row.data(), lanes);
  const __m512 bias = load(product.bias + column);
  for (std::int64_t n = 0; n < rows; ++n) {
    __m512 value = _mm512_add_ps(_mm512_load_ps(by_row.data() + n * lanes), bias);
    if (product.relu) value = _mm512_max_ps(_mm512_setzero_ps(), value);  // NaN stays NaN
    _mm512_storeu_ps(c + (first + n) * product.columns + column, value);
  }
}

}  // namespace

template <class Scalar>
void row_dots(const RowDots<Scalar>& product, float* c) {
  MOE_CHECK(product.rows >= 1 && product.rows <= most_dot_rows && has_row_dots(product.columns, product.depth),
            "Sums along {} rows with a weight of [{}, {}].", product.rows, product.columns, product.depth);
  const std::int64_t groups = (product.rows + most_group_rows - 1) / most_group_rows;
  const std::int64_t group_rows = (product.rows + groups - 1) / groups;
  Turned turned;
  for (std::int64_t column = 0; column < product.columns; column += lanes) {
    for (std::int64_t n = 0; n < product.rows; n += group_rows) {
      multiply_group(product, n, std::min(group_rows, product.rows - n), column, turned, c);
    }
  }
}

#else

template <class Scalar>
void row_dots(const RowDots<Scalar>&, float*) {
  throw Error("This processor has no matrix product of ours.", ExitStatus::machine_failed);
}

#endif

template void row_dots(const RowDots<float>&, float*);
template void row_dots(const RowDots<c10::BFloat16>&, float*);

}  // namespace moe
