#include "kernels/gemm/skinny_gemm.h"

#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

namespace moe {
namespace {

template <class Scalar>
void check_rows(std::int64_t rows, std::int64_t columns, std::int64_t depth, bool relu) {
  CAPTURE(rows, columns, depth, relu);
  const auto type = c10::CppTypeToScalarType<Scalar>::value;
  const torch::Tensor a = noise({rows, depth}, 0), w = noise({columns, depth}, 1, type),
                      bias = noise({columns}, 2, type), c = torch::empty({rows, columns});
  const torch::Tensor sum = torch::addmm(bias.to(torch::kFloat32), a, w.to(torch::kFloat32).t());
  skinny_gemm<Scalar>({a.const_data_ptr<float>(), rows, depth, w.const_data_ptr<Scalar>(), columns,
                       bias.const_data_ptr<Scalar>(), relu},
                      c.data_ptr<float>());
  CHECK(all_close(c, relu ? sum.relu() : sum, 2e-4));
}

}  // namespace

TEST_CASE("sums along rows are those of a product, for every number of rows") {
  if (!can_run(has_avx2)) return;
  for (std::int64_t rows = 1; rows <= most_skinny_rows; ++rows) {
    check_rows<float>(rows, 48, 64, rows % 2 == 0);
    check_rows<c10::BFloat16>(rows, 48, 64, rows % 2 != 0);
  }
  check_rows<float>(8, 16, 16, false);
  check_rows<c10::BFloat16>(3, 256, 1024, true);
}

TEST_CASE("sums along rows keep NaN, and refuse what they cannot take") {
  if (!can_run(has_avx2)) return;
  CHECK(has_skinny_gemm(16, 16));
  CHECK_FALSE(has_skinny_gemm(24, 16));
  CHECK_FALSE(has_skinny_gemm(16, 24));
  const torch::Tensor values = torch::full({17, 16}, std::numeric_limits<float>::quiet_NaN());
  const torch::Tensor c = torch::zeros({17, 16});
  const auto* data = values.const_data_ptr<float>();
  skinny_gemm<float>({data, 2, 16, data, 16, data, /*relu=*/true}, c.data_ptr<float>());
  CHECK(std::isnan(c[1][15].item<float>()));
  CHECK_THROWS(skinny_gemm<float>({data, 17, 16, data, 16, data, false}, c.data_ptr<float>()));
  CHECK_THROWS(skinny_gemm<float>({data, 1, 15, data, 16, data, false}, c.data_ptr<float>()));
}

}  // namespace moe
