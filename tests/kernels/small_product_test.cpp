#include "kernels/small_product.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

#include <vector>

namespace moe {
namespace {

struct Sizes {
  std::int64_t rows, columns, depth;
};

// Whole tiles, rows and vectors that are left over, less than one tile, and a single row.
const std::vector<Sizes> all_sizes = {{12, 128, 20}, {13, 112, 33}, {5, 16, 1}, {1, 80, 64}};

void check_product(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& bias, bool relu) {
  const torch::Tensor c = torch::full({a.size(0), b.size(1)}, -7.0F);
  const auto view = [](const torch::Tensor& matrix) {
    return MatrixView{matrix.const_data_ptr<float>(), matrix.size(0), matrix.size(1), matrix.stride(0),
                      matrix.stride(1)};
  };
  const float* const row_bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  small_product(view(a), view(b), c.data_ptr<float>(), {row_bias, relu});
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

TEST_CASE("a small product refuses columns that fill no vector, and sizes that do not meet") {
  if (!has_small_product()) return;
  const std::vector<float> values(64);
  std::vector<float> out(64);
  CHECK_THROWS(small_product(row_major(values.data(), 1, 2), row_major(values.data(), 2, 15), out.data()));
  CHECK_THROWS(small_product(row_major(values.data(), 1, 3), row_major(values.data(), 2, 16), out.data()));
}

}  // namespace moe
