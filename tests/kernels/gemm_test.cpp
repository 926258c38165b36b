#include "kernels/gemm/gemm.h"

#include "kernels/gemm/avx2_gemm.h"
#include "kernels/simd/cpu_isa.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace moe {
namespace {

struct Sizes {
  std::int64_t rows, columns, depth;
};

// Whole tiles, rows and columns that are left over, less than one tile, a single row; blocks of the summed index,
// panels of rows, groups of columns, and more of the summed index than stays near.
const std::vector<Sizes> all_sizes = {{12, 128, 20}, {13, 112, 33},   {5, 16, 1},       {1, 80, 64},
                                      {7, 3, 17},    {100, 77, 300},  {193, 65, 513},   {29, 8, 300},
                                      {13, 5, 514},  {150, 600, 270}, {110, 150, 1100}, {70, 130, 512}};

MatrixView view_of(const torch::Tensor& matrix) {
  return {matrix.const_data_ptr<float>(), matrix.size(0), matrix.size(1), matrix.stride(0), matrix.stride(1)};
}

/// With some vectors.
struct Product {
  void (*multiply)(const MatrixView&, const MatrixView&, float*, std::int64_t, const Epilogue&);
  void (*pack_transposed)(const MatrixView&, float*, std::int64_t, bool);
};

void widest_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                    const Epilogue& end) {
  gemm(a, b, c, c_row_stride, end);
}

void narrow_product(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride,
                    const Epilogue& end) {
  avx2_gemm(a, b, c, c_row_stride, end);
}

/// Those that this processor can do.
std::vector<Product> products() {
  std::vector<Product> products;
  if (can_run(has_avx2)) products.push_back({narrow_product, avx2_pack_transposed});
  if (can_run(has_avx512)) products.push_back({widest_product, pack_transposed});
  return products;
}

void check_product(const Product& product, const torch::Tensor& a, const torch::Tensor& b,
                   const torch::Tensor& column_bias, bool relu, const torch::Tensor& row_bias = {}) {
  const std::int64_t columns = b.size(1), workspace = columns + 5;
  const torch::Tensor c = torch::full({a.size(0), workspace}, -7.0F);
  const auto data = [](const torch::Tensor& bias) { return bias.defined() ? bias.const_data_ptr<float>() : nullptr; };
  product.multiply(view_of(a), view_of(b), c.data_ptr<float>(), workspace,
                   {.column_bias = data(column_bias), .relu = relu, .row_bias = data(row_bias)});
  torch::Tensor expected = a.to(torch::kFloat64).mm(b.to(torch::kFloat64));
  if (column_bias.defined()) expected = expected + column_bias;
  if (row_bias.defined()) expected = expected + row_bias.unsqueeze(1);
  if (relu) expected = expected.clamp_min(0);
  CHECK(all_close(c.narrow(1, 0, columns).to(torch::kFloat64), expected, 5e-4));
  CHECK((c.narrow(1, columns, 5) == -7).all().item<bool>());
}

}  // namespace

TEST_CASE("our product is the matrix product, whatever is left over and however the operands lie") {
  for (const Product& product : products()) {
    for (const auto& [rows, columns, depth] : all_sizes) {
      CAPTURE(rows, columns, depth);
      const torch::Tensor a = noise({rows, depth}, 0), b = noise({depth, columns}, 1);
      const torch::Tensor transposed_a = noise({depth, rows}, 2).t(), transposed_b = noise({columns, depth}, 3).t();
      const torch::Tensor column_bias = noise({columns}, 4), row_bias = noise({rows}, 5);
      check_product(product, a, b, {}, false);
      check_product(product, a, b, column_bias, true);
      check_product(product, a, transposed_b, column_bias, true);
      check_product(product, transposed_a, b, column_bias, false);
      check_product(product, transposed_a, transposed_b, {}, true);
      check_product(product, a, b, {}, true, row_bias);
      check_product(product, transposed_a, transposed_b, column_bias, false, row_bias);
      check_product(product, a, noise({depth, columns + 16}, 6).narrow(1, 3, columns), column_bias, true);
    }
  }
}

TEST_CASE("a product is added to what is there, if asked, and with it what follows") {
  for (const Product& product : products()) {
    const torch::Tensor a = noise({50, 300}, 0), b = noise({300, 70}, 1), c = noise({50, 70}, 2);
    const torch::Tensor expected = (c + a.mm(b)).relu();
    product.multiply(view_of(a), view_of(b), c.data_ptr<float>(), 70, {.relu = true, .accumulate = true});
    CHECK(all_close(c, expected, 5e-4));
  }
}

TEST_CASE("a result that is written past the caches is the same") {
  for (const Product& product : products()) {
    const torch::Tensor a = noise({70, 40}, 0), b = noise({40, 144}, 1);
    const torch::Tensor c = torch::empty({70, 144}), streamed = torch::empty({70, 144});
    product.multiply(view_of(a), view_of(b), c.data_ptr<float>(), 144, {});
    product.multiply(view_of(a), view_of(b), streamed.data_ptr<float>(), 144, {.stream = true});
    CHECK(c.equal(streamed));
  }
}

TEST_CASE("a sum over nothing is the bias") {
  for (const Product& product : products()) {
    check_product(product, torch::empty({3, 0}), torch::empty({0, 20}), noise({20}, 0), false);
  }
}

TEST_CASE("an element does not depend on the ranges that a product is cut into") {
  for (const Product& product : products()) {
    const std::int64_t rows = 130, columns = 200, depth = 1300;
    const torch::Tensor a = noise({depth, rows}, 0).t(), b = noise({columns, depth}, 1).t();
    const torch::Tensor whole = torch::empty({rows, columns}), parts = torch::empty({rows, columns});
    product.multiply(view_of(a), view_of(b), whole.data_ptr<float>(), columns, {});
    for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{0, 128}, {128, 72}}) {
      const MatrixView part = view_of(b).column_range(first, count);
      product.multiply(view_of(a).row_range(0, 7), part, parts.data_ptr<float>() + first, columns, {});
      product.multiply(view_of(a).row_range(7, rows - 7), part, parts.data_ptr<float>() + 7 * columns + first, columns,
                       {});
    }
    CHECK(whole.equal(parts));
  }
}

TEST_CASE("what lies transposed is copied with zeros behind whole vectors, or with nothing") {
  for (const Product& product : products()) {
    const std::int64_t rows = 21, columns = 37, whole = 48, stride = 50;
    const torch::Tensor matrix = noise({columns, rows}, 0).t();
    const torch::Tensor out = torch::full({rows, stride}, -7.0F);
    product.pack_transposed(view_of(matrix), out.data_ptr<float>(), stride, /*fills_vectors=*/true);
    CHECK(out.narrow(1, 0, columns).equal(matrix));
    CHECK((out.narrow(1, columns, whole - columns) == 0).all().item<bool>());
    CHECK((out.narrow(1, whole, stride - whole) == -7).all().item<bool>());
    out.fill_(-7);
    product.pack_transposed(view_of(matrix), out.data_ptr<float>(), stride, /*fills_vectors=*/false);
    CHECK(out.narrow(1, 0, columns).equal(matrix));
    CHECK((out.narrow(1, columns, stride - columns) == -7).all().item<bool>());
  }
}

TEST_CASE("our product keeps NaN, and refuses sizes that do not meet") {
  for (const Product& product : products()) {
    const std::vector<float> values(64, std::numeric_limits<float>::quiet_NaN());
    std::vector<float> out(64);
    product.multiply(row_major(values.data(), 1, 2), row_major(values.data(), 2, 16), out.data(), 16, {.relu = true});
    CHECK(std::isnan(out[15]));
    CHECK_THROWS(product.multiply(row_major(values.data(), 1, 3), row_major(values.data(), 2, 16), out.data(), 16, {}));
    CHECK_THROWS(product.multiply({values.data(), 2, 2, 4, 2}, row_major(values.data(), 2, 16), out.data(), 16, {}));
  }
}

}  // namespace moe
