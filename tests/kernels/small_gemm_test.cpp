#include "kernels/gemm/small_gemm.h"

#include "kernels/simd/cpu_isa.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"

#include <torch/types.h>

#include <type_traits>
#include <vector>

namespace moe {
namespace {

/// Gaps of 16 and 32 keep the rows of the result whole lines of the cache, which alone can be stored past it.
template <class Scalar>
void check_product(const torch::Tensor& a, const torch::Tensor& b) {
  const std::int64_t columns = b.size(1);
  const double rounding = std::is_same_v<Scalar, float> ? 0 : 1.0 / 256;
  for (const std::int64_t gap : {5, 16, 32}) {
    for (const bool non_temporal : {false, true}) {
      CAPTURE(a.sizes(), b.sizes(), gap, non_temporal);
      const torch::Tensor c = torch::full({a.size(0), columns + gap}, -7, a.options());
      small_gemm<Scalar>({a.const_data_ptr<Scalar>(), a.size(0), a.size(1), a.stride(0), a.stride(1)},
                         {b.const_data_ptr<Scalar>(), b.size(0), columns, b.stride(0)}, c.data_ptr<Scalar>(),
                         columns + gap, non_temporal);
      const torch::Tensor expected = a.to(torch::kFloat64).mm(b.to(torch::kFloat64));
      const torch::Tensor error = (c.narrow(1, 0, columns) - expected).abs();
      CHECK((error <= 1e-4 + rounding * expected.abs()).all().item<bool>());
      CHECK((c.narrow(1, columns, gap) == -7).all().item<bool>());
    }
  }
}

template <class Scalar>
void check_products() {
  const auto type = c10::CppTypeToScalarType<Scalar>::value;
  for (std::int64_t rows = 0; rows <= 17; ++rows) {
    for (const std::int64_t columns : {16, 32, 48, 64, 112}) {
      for (const std::int64_t depth : {22, 23}) {
        const torch::Tensor b = noise({depth, columns + 3}, 1, type).narrow(1, 2, columns);
        check_product<Scalar>(noise({rows, depth}, 0, type), b);
        check_product<Scalar>(noise({depth, rows}, 0, type).t(), b);
      }
    }
  }
  check_product<Scalar>(noise({4, 0}, 0, type), noise({0, 16}, 1, type));
}

}  // namespace

TEST_CASE("small products are matrix products, of any rows and whole vectors of columns") {
  if (can_run(has_avx2)) check_products<float>();
}

TEST_CASE("small products of bfloat16 are matrix products, of any rows and whole vectors of columns") {
  if (can_run(has_avx512_bf16)) check_products<c10::BFloat16>();
}

TEST_CASE("small products refuse columns that fill no vectors, and sizes that do not fit") {
  if (!can_run(has_avx2)) return;
  const std::vector<float> values(64);
  std::vector<float> out(64);
  CHECK_THROWS(small_gemm(row_major(values.data(), 2, 2), row_major(values.data(), 2, 15), out.data(), 15));
  CHECK_THROWS(small_gemm(row_major(values.data(), 2, 3), row_major(values.data(), 2, 16), out.data(), 16));
  CHECK_THROWS(small_gemm(row_major(values.data(), 2, 2), row_major(values.data(), 2, 16), out.data(), 8));
  CHECK_THROWS(
      small_gemm(row_major(values.data(), 2, 2), row_major(values.data(), 16, 2).transposed(), out.data(), 16));
}

TEST_CASE("small products of bfloat16 refuse an operand without a stride of 1, which cannot be paired") {
  if (!can_run(has_avx512_bf16)) return;
  const std::vector<c10::BFloat16> values(64);
  std::vector<c10::BFloat16> out(64);
  const Bf16View apart{values.data(), 2, 2, 8, 2};
  CHECK_THROWS(small_gemm(apart, row_major(values.data(), 2, 16), out.data(), 16));
}

}  // namespace moe
