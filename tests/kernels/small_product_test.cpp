#include "kernels/small_product.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace moe {
namespace {

struct Sizes {
  std::int64_t rows, columns, depth;
};

// Whole tiles, rows and vectors that are left over, less than one tile, and a single row.
const std::vector<Sizes> all_sizes = {{12, 128, 20}, {13, 112, 33}, {5, 16, 1}, {1, 80, 64}};

void check_product(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& bias, bool relu) {
  const torch::Tensor c = torch::full({a.size(0), b.size(1)}, -7.0F);
  small_product({.rows = a.size(0),
                 .columns = b.size(1),
                 .depth = a.size(1),
                 .a = a.const_data_ptr<float>(),
                 .a_row = a.stride(0),
                 .a_depth = a.stride(1),
                 .b = b.const_data_ptr<float>(),
                 .b_depth = b.stride(0),
                 .c = c.data_ptr<float>(),
                 .c_row = c.stride(0),
                 .bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                 .relu = relu});
  torch::Tensor expected = a.to(torch::kFloat64).mm(b.to(torch::kFloat64));
  if (bias.defined()) expected = expected + bias.unsqueeze(1);
  if (relu) expected = expected.clamp_min(0);
  CHECK(all_close(c.to(torch::kFloat64), expected, 1e-4));
}

}  // namespace

TEST_CASE("a small product is the matrix product, whatever is left over") {
  if (!has_small_product()) {
    WARN("Not run: this processor has neither AVX2 nor AVX-512.");
    return;
  }
  for (const auto& [rows, columns, depth] : all_sizes) {
    CAPTURE(rows, columns, depth);
    const torch::Tensor a = torch::randn({rows, depth}), b = torch::randn({depth, columns}),
                        bias = torch::randn({rows});
    check_product(a, b, {}, false);
    check_product(a, b, bias, true);
    check_product(torch::randn({depth, rows}).t(), b, bias, false);
    check_product(a, torch::randn({depth, columns + 16}).narrow(1, 3, columns), {}, true);
  }
}

TEST_CASE("a small product of a number of columns that no vector divides is refused") {
  if (!has_small_product()) return;
  CHECK_THROWS(small_product({.rows = 1, .columns = 15, .depth = 1}));
}

}  // namespace moe
