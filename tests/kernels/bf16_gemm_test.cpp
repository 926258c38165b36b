#include "kernels/gemm/bf16_gemm.h"

#include "kernels/gemm/amx_gemm.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/upcast_gemm.h"
#include "kernels/simd/cpu_isa.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <vector>

namespace moe {
namespace {

using c10::BFloat16;

Bf16View view_of(const torch::Tensor& matrix) {
  return {matrix.const_data_ptr<BFloat16>(), matrix.size(0), matrix.size(1), matrix.stride(0), matrix.stride(1)};
}

using Product = decltype(&bf16_gemm);

void contiguous_amx_product(const Bf16View& a, const Bf16View& b, BFloat16* c, const Bf16Epilogue& end) {
  amx_gemm(a, b, c, b.columns, end);
}

void contiguous_widened_product(const Bf16View& a, const Bf16View& b, BFloat16* c, const Bf16Epilogue& end) {
  upcast_gemm(a, b, c, b.columns, end);
}

/// Those that this processor can do.
std::vector<Product> products_of_pairs() {
  std::vector<Product> products;
  if (can_run(has_avx512_bf16)) products.push_back(bf16_gemm);
  if (can_run(has_amx_bf16)) products.push_back(contiguous_amx_product);
  return products;
}
std::vector<Product> products() {
  std::vector<Product> products = products_of_pairs();
  if (can_run(has_avx2)) products.push_back(contiguous_widened_product);
  return products;
}

/// One rounding of the result, and none before it.
void check_product(Product product, const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& column_bias,
                   bool relu, const torch::Tensor& row_bias = {}) {
  const auto data = [](const torch::Tensor& bias) {
    return bias.defined() ? bias.const_data_ptr<BFloat16>() : nullptr;
  };
  torch::Tensor c = torch::full({a.size(0), b.size(1)}, -7, torch::kBFloat16);
  product(view_of(a), view_of(b), c.data_ptr<BFloat16>(),
          {.column_bias = data(column_bias), .relu = relu, .row_bias = data(row_bias)});
  torch::Tensor expected = a.to(torch::kFloat64).mm(b.to(torch::kFloat64));
  if (column_bias.defined()) expected = expected + column_bias.to(torch::kFloat64);
  if (row_bias.defined()) expected = expected + row_bias.to(torch::kFloat64).unsqueeze(1);
  if (relu) expected = expected.clamp_min(0);
  const torch::Tensor tolerance = expected.abs() / 128 + 1e-3;
  CHECK(((c.to(torch::kFloat64) - expected).abs() <= tolerance).all().item<bool>());
}

struct Sizes {
  std::int64_t rows, columns, depth;
};

}  // namespace

TEST_CASE("our bfloat16 products are the matrix product, whatever is left over and however the operands lie") {
  for (const auto product : products()) {
    for (const auto& [rows, columns, depth] : std::vector<Sizes>{{12, 128, 20},
                                                                 {13, 112, 34},
                                                                 {5, 16, 2},
                                                                 {1, 80, 64},
                                                                 {7, 3, 18},
                                                                 {100, 77, 300},
                                                                 {193, 64, 514},
                                                                 {400, 66, 40},
                                                                 {96, 24, 320},
                                                                 {96, 128, 64},
                                                                 {600, 300, 1100},
                                                                 {70, 330, 2150}}) {
      CAPTURE(product == contiguous_amx_product, product == bf16_gemm, rows, columns, depth);
      const torch::Tensor a = noise({rows, depth}, 0, torch::kBFloat16),
                          b = noise({depth, columns}, 1, torch::kBFloat16),
                          bias = noise({columns}, 2, torch::kBFloat16), row_bias = noise({rows}, 3, torch::kBFloat16);
      const torch::Tensor transposed_a = noise({depth, rows}, 4, torch::kBFloat16).t(),
                          transposed_b = noise({columns, depth}, 5, torch::kBFloat16).t();
      check_product(product, a, b, {}, false);
      check_product(product, a, transposed_b, bias, true);
      check_product(product, transposed_a, b, bias, false);
      check_product(product, transposed_a, transposed_b, {}, true);
      check_product(product, a, transposed_b, {}, true, row_bias);
      check_product(product, transposed_a, b, bias, false, row_bias);
    }
  }
}

TEST_CASE("our bfloat16 products and LibTorch's take turns") {
  const torch::Tensor a = noise({64, 96}, 0, torch::kBFloat16), b = noise({96, 128}, 1, torch::kBFloat16);
  const torch::Tensor first = a.mm(b);
  for (const auto product : products()) {
    check_product(product, a, b, {}, false);
    CHECK(a.mm(b).equal(first));
    check_product(product, a, b, {}, false);
  }
}

TEST_CASE("a bfloat16 result that is written past the caches is the same") {
  for (const auto product : products()) {
    const torch::Tensor a = noise({70, 40}, 0, torch::kBFloat16), b = noise({40, 144}, 1, torch::kBFloat16);
    torch::Tensor c = torch::empty({70, 144}, torch::kBFloat16), streamed = torch::empty({70, 144}, torch::kBFloat16);
    product(view_of(a), view_of(b), c.data_ptr<BFloat16>(), {});
    product(view_of(a), view_of(b), streamed.data_ptr<BFloat16>(), {.stream = true});
    CHECK(c.equal(streamed));
  }
}

TEST_CASE("pairs: an odd number of summed elements is fine where they lie apart, and refused where pairs are read") {
  for (const auto product : products_of_pairs()) {
    for (const std::int64_t depth : {1, 7, 33}) {
      check_product(product, noise({depth, 20}, 0, torch::kBFloat16).t(), noise({depth, 70}, 1, torch::kBFloat16), {},
                    false);
    }
    const torch::Tensor a = noise({4, 7}, 2, torch::kBFloat16), b = noise({7, 16}, 3, torch::kBFloat16);
    std::vector<BFloat16> out(64);
    if (product == contiguous_amx_product) {
      check_product(product, a, b, {}, false);
    } else {
      CHECK_THROWS(product(view_of(a), view_of(b), out.data(), {}));
    }
    CHECK_THROWS(product(view_of(b.t()), view_of(a.t()), out.data(), {}));
  }
}

TEST_CASE("widened products take odd numbers of summed elements") {
  if (can_run(has_avx2))
    check_product(contiguous_widened_product, noise({4, 7}, 0, torch::kBFloat16),
                  noise({16, 7}, 1, torch::kBFloat16).t(), {}, false);
}

TEST_CASE("products that all threads share write rows that lie apart") {
  using Apart = void (*)(const Bf16View&, const Bf16View&, BFloat16*, std::int64_t, const Bf16Epilogue&);
  std::vector<Apart> products;
  if (can_run(has_avx2)) products.push_back(upcast_gemm);
  if (can_run(has_amx_bf16)) products.push_back(amx_gemm);
  const torch::Tensor a = noise({100, 1300}, 0, torch::kBFloat16), b = noise({1300, 70}, 1, torch::kBFloat16);
  for (const auto product : products) {
    const torch::Tensor apart = torch::full({100, 75}, -7, torch::kBFloat16),
                        whole = torch::empty({100, 70}, torch::kBFloat16);
    product(view_of(a), view_of(b), apart.data_ptr<BFloat16>(), 75, {});
    product(view_of(a), view_of(b), whole.data_ptr<BFloat16>(), 70, {});
    CHECK(apart.narrow(1, 0, 70).equal(whole));
    CHECK((apart.narrow(1, 70, 5) == -7).all().item<bool>());
  }
}

TEST_CASE("sums by tiles can be had as they are, with zeros behind the last column") {
  if (!can_run(has_amx_bf16)) return;
  const torch::Tensor a = noise({37, 2050}, 0, torch::kBFloat16), b = noise({45, 2050}, 1, torch::kBFloat16).t();
  const torch::Tensor sums = torch::full({37, 50}, -7, torch::kFloat32);
  amx_gemm(view_of(a), view_of(b), sums.data_ptr<float>(), 50);
  const torch::Tensor expected = a.to(torch::kFloat64).mm(b.to(torch::kFloat64));
  CHECK(all_close(sums.narrow(1, 0, 45), expected, 1e-3));
  CHECK((sums.narrow(1, 45, 3) == 0).all().item<bool>());
  CHECK((sums.narrow(1, 48, 2) == -7).all().item<bool>());
}

TEST_CASE("bfloat16 rows that lie transposed are copied, and nothing behind them") {
  if (!can_run(has_avx2)) return;
  for (const std::int64_t columns : {2, 30, 64, 90}) {
    const torch::Tensor matrix = noise({columns, 37}, 0, torch::kBFloat16).t(),
                        out = torch::full({38, columns}, -7, torch::kBFloat16);
    pack_transposed(view_of(matrix), out.data_ptr<BFloat16>());
    CHECK(out.narrow(0, 0, 37).equal(matrix));
    CHECK((out[37] == -7).all().item<bool>());
  }
  const torch::Tensor odd = noise({3, 4}, 1, torch::kBFloat16).t();
  std::vector<BFloat16> out(16);
  CHECK_THROWS(pack_transposed(view_of(odd), out.data()));
}

}  // namespace moe
