#include "kernels/gemm/skinny_gemm.h"

#include "core/error.h"
#include "kernels/gemm/skinny_tiles.h"
#include "kernels/simd/cpu_isa.h"

#include <algorithm>
#include <array>
#include <utility>

// Both operands lie along K, so vectors run along it, none is half empty, and bfloat16 weights are
// widened in registers.

namespace moe {

bool has_skinny_gemm(std::int64_t columns, std::int64_t depth) {
  return has_avx2() && columns % 16 == 0 && depth % 16 == 0;
}

#ifdef MOE_HAS_X86_CODE
namespace {

using skinny_tiles::Avx2;
using skinny_tiles::Avx512;

constexpr int most_group_rows = 8;

/// N rows of a times as many rows of w as a vector has lanes. out: [lanes, N], and workspace for a vector more.
template <class Vector, int N, class Scalar>
void multiply_panel(const float* a, const Scalar* w, std::int64_t depth, float* out) {
  constexpr std::int64_t rows = Vector::sums / N;
  for (std::int64_t r = 0; r < Vector::lanes; r += rows) {
    const std::int64_t first = std::min(r, Vector::lanes - rows);  // the last may do some rows again
    Vector::template multiply_rows<N>(a, w + first * depth, depth, out + first * N);
  }
}

template <class Scalar>
using Panel = void (*)(const float*, const Scalar*, std::int64_t, float*);

template <class Vector, class Scalar, std::size_t... N>
constexpr std::array<Panel<Scalar>, sizeof...(N)> make_panels(std::index_sequence<N...>) {
  return {multiply_panel<Vector, static_cast<int>(N) + 1, Scalar>...};
}
template <class Vector, class Scalar>
constexpr auto panels = make_panels<Vector, Scalar>(std::make_index_sequence<most_group_rows>());

/// Groups of up to 8 rows, each with so many rows of the weight.
template <class Vector, class Scalar>
void multiply(const SkinnyGemm<Scalar>& product, float* c) {
  constexpr std::int64_t lanes = Vector::lanes;
  const std::int64_t depth = product.depth;
  const std::int64_t groups = (product.rows + most_group_rows - 1) / most_group_rows;
  const std::int64_t group_rows = (product.rows + groups - 1) / groups;
  alignas(64) std::array<float, (most_group_rows + 1) * lanes> by_column{};
  alignas(64) std::array<float, most_group_rows * lanes> by_row{};
  for (std::int64_t column = 0; column < product.columns; column += lanes) {
    for (std::int64_t first = 0; first < product.rows; first += group_rows) {
      const std::int64_t rows = std::min(group_rows, product.rows - first);
      panels<Vector, Scalar>[static_cast<std::size_t>(rows - 1)](product.a + first * depth, product.w + column * depth,
                                                                 depth, by_column.data());
      Vector::store(by_column.data(), by_row.data(),
                    skinny_tiles::SkinnyEpilogue<Scalar>{.rows = rows,
                                                         .bias = product.bias + column,
                                                         .relu = product.relu,
                                                         .c = c + first * product.columns + column,
                                                         .c_row = product.columns});
    }
  }
}

}  // namespace
#endif

template <class Scalar>
void skinny_gemm(const SkinnyGemm<Scalar>& product, [[maybe_unused]] float* c) {
  MOE_CHECK(product.rows >= 1 && product.rows <= most_skinny_rows && has_skinny_gemm(product.columns, product.depth),
            "A skinny gemm of {} rows with a weight of [{}, {}].", product.rows, product.columns, product.depth);
#ifdef MOE_HAS_X86_CODE
  has_avx512() ? multiply<Avx512>(product, c) : multiply<Avx2>(product, c);
#endif
}

template void skinny_gemm(const SkinnyGemm<float>&, float*);
template void skinny_gemm(const SkinnyGemm<c10::BFloat16>&, float*);

}  // namespace moe
