#include "kernels/gemm/select.h"

#include "kernels/simd/cpu_isa.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("experts and attention have products of ours where there is AVX2, and float64 nowhere") {
  for (const torch::Dtype type : {torch::kFloat32, torch::kBFloat16}) {
    CHECK((products_of(type).one_thread != Product::library) == has_avx2());
  }
  CHECK(products_of(torch::kFloat32).linear != Product::pairs);
  CHECK((products_of(torch::kBFloat16).one_thread == Product::pairs) ==
        (has_amx_bf16() || (has_avx512_bf16() && runs_on_amd())));
  const Products& others = products_of(torch::kFloat64);
  CHECK(others.linear == Product::library);
  CHECK(others.one_thread == Product::library);
  CHECK_FALSE(others.skinny);
}

}  // namespace moe
