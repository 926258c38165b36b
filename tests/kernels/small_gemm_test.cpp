#include "kernels/gemm/small_gemm.h"

#include "kernels/simd/cpu_isa.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/types.h>

#include <vector>

namespace moe {
namespace {

void check_product(const torch::Tensor& a, const torch::Tensor& b, std::int64_t gap, bool non_temporal) {
  CAPTURE(a.sizes(), b.sizes(), gap, non_temporal);
  const std::int64_t columns = b.size(1);
  const torch::Tensor c = torch::full({a.size(0), columns + gap}, -7.0F);
  small_gemm({a.const_data_ptr<float>(), a.size(0), a.size(1), a.stride(0), a.stride(1)},
             {b.const_data_ptr<float>(), b.size(0), columns, b.stride(0)}, c.data_ptr<float>(), columns + gap,
             non_temporal);
  CHECK(all_close(c.narrow(1, 0, columns).to(torch::kFloat64), a.to(torch::kFloat64).mm(b.to(torch::kFloat64)), 1e-4));
  CHECK((c.narrow(1, columns, gap) == -7).all().item<bool>());
}

/// A gap of 16 keeps the rows of the result whole lines of the cache, which alone can be stored past it.
void check_product(const torch::Tensor& a, const torch::Tensor& b) {
  for (const std::int64_t gap : {5, 16}) {
    for (const bool non_temporal : {false, true}) check_product(a, b, gap, non_temporal);
  }
}

}  // namespace

TEST_CASE("small products are matrix products, of any rows and whole vectors of columns") {
  if (!can_run(has_avx2)) return;
  for (std::int64_t rows = 0; rows <= 17; ++rows) {
    for (const std::int64_t columns : {16, 32, 48, 64, 112}) {
      const torch::Tensor b = noise({23, columns + 3}, 1).narrow(1, 2, columns);
      check_product(noise({rows, 23}, 0), b);
      check_product(noise({23, rows}, 0).t(), b);
    }
  }
  check_product(noise({4, 0}, 0), noise({0, 16}, 1));
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

}  // namespace moe
