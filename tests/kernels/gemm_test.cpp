#include "kernels/gemm/gemm.h"

#include "kernels/simd/cpu_isa.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/kernels/matrix_views.h"
#include "tests/support/catch.h"
#include "tests/support/noise.h"
#include "tests/support/tensors.h"

#include <torch/types.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace moe {
namespace {

using c10::BFloat16;

template <class Scalar>
const Scalar* data_of(const torch::Tensor& bias) {
  return bias.defined() ? bias.const_data_ptr<Scalar>() : nullptr;
}

/// An instance of gemm, and what a test does with it.
template <class Number_, class Operand_, class Out_>
struct Instance {
  using Number = Number_;
  using Operand = Operand_;
  using Out = Out_;

  static torch::Tensor operand(at::IntArrayRef shape, int key) { return noise(shape, key, type_of<Operand>); }
  static torch::Tensor bias(std::int64_t size, int key) { return noise({size}, key, type_of<Out>); }

  /// Into rows with a gap behind each.
  static void check(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& column_bias = {},
                    bool relu = false, const torch::Tensor& row_bias = {}) {
    const std::int64_t columns = b.size(1), gap = 5;
    torch::Tensor c = torch::full({a.size(0), columns + gap}, -7, type_of<Out>);
    gemm<Number>(
        view_of<Operand>(a), view_of<Operand>(b), c.data_ptr<Out>(), columns + gap,
        Epilogue<Out>{.column_bias = data_of<Out>(column_bias), .relu = relu, .row_bias = data_of<Out>(row_bias)});
    torch::Tensor expected = a.to(torch::kFloat64).mm(b.to(torch::kFloat64));
    if (column_bias.defined()) expected = expected + column_bias.to(torch::kFloat64);
    if (row_bias.defined()) expected = expected + row_bias.to(torch::kFloat64).unsqueeze(1);
    if (relu) expected = expected.clamp_min(0);
    // Of bfloat16 the result is rounded once, and nothing before it.
    const double of_value = std::is_same_v<Out, float> ? 0 : 1.0 / 128;
    const torch::Tensor error = (c.narrow(1, 0, columns).to(torch::kFloat64) - expected).abs();
    CHECK((error <= of_value * expected.abs() + 1e-3).all().template item<bool>());
    CHECK((c.narrow(1, columns, gap) == -7).all().template item<bool>());
  }

  static torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b, bool non_temporal = false) {
    torch::Tensor c = torch::empty({a.size(0), b.size(1)}, type_of<Out>);
    gemm<Number>(view_of<Operand>(a), view_of<Operand>(b), c.data_ptr<Out>(), b.size(1),
                 Epilogue<Out>{.non_temporal = non_temporal});
    return c;
  }
};

/// Calls work(Instance) for those that this processor can do.
template <class Work>
void for_each_instance(Work work) {
  if (can_run(has_avx2)) {
    work(Instance<float, float, float>());
    work(Instance<float, BFloat16, BFloat16>());
  }
  if (can_run(has_avx512_bf16)) {
    work(Instance<BFloat16, BFloat16, BFloat16>());
    work(Instance<BFloat16, BFloat16, float>());
  }
}

struct Sizes {
  std::int64_t rows, columns, depth;
};

// Whole blocks, rows and columns that are left over, less than one block, a single row; odd sums; blocks of the summed
// index, of which the last is packed where others are not; panels of rows, groups of columns, rows of b that are a page
// apart, packed or not, and rows of a of which several lie in a page.
const std::vector<Sizes> all_sizes = {
    {16, 128, 32},   {13, 112, 33},   {5, 16, 1},       {1, 80, 64},      {7, 3, 17},     {100, 77, 300},
    {193, 65, 513},  {29, 8, 300},    {13, 5, 514},     {150, 600, 270},  {70, 130, 512}, {110, 150, 1100},
    {600, 300, 320}, {300, 256, 300}, {130, 1024, 264}, {100, 1024, 264},
};

}  // namespace

TEST_CASE("gemm is the matrix product, whatever is left over and however the operands lie") {
  for_each_instance([](auto instance) {
    for (const auto& [rows, columns, depth] : all_sizes) {
      CAPTURE(rows, columns, depth);
      const torch::Tensor a = instance.operand({rows, depth}, 0), b = instance.operand({depth, columns}, 1);
      const torch::Tensor transposed_a = instance.operand({depth, rows}, 2).t();
      const torch::Tensor transposed_b = instance.operand({columns, depth}, 3).t();
      const torch::Tensor column_bias = instance.bias(columns, 4), row_bias = instance.bias(rows, 5);
      instance.check(a, b);
      instance.check(a, b, column_bias, true);
      instance.check(a, transposed_b, column_bias, true);
      instance.check(transposed_a, b, column_bias);
      instance.check(transposed_a, transposed_b, {}, true);
      instance.check(a, b, {}, true, row_bias);
      instance.check(transposed_a, transposed_b, column_bias, false, row_bias);
      instance.check(a, instance.operand({depth, columns + 16}, 6).narrow(1, 3, columns), column_bias, true);
      instance.check(a, instance.operand({columns, depth + 3}, 7).narrow(1, 1, depth).t(), column_bias, true);
    }
  });
}

TEST_CASE("a product that is written past the caches is the same") {
  for_each_instance([](auto instance) {
    for (const std::int64_t depth : {40, 600}) {
      const torch::Tensor a = instance.operand({depth, 70}, 0).t(), b = instance.operand({depth, 160}, 1);
      CHECK(instance.product(a, b).equal(instance.product(a, b, /*non_temporal=*/true)));
    }
  });
}

TEST_CASE("a sum over nothing is the bias, and no rows or columns are no work") {
  for_each_instance([](auto instance) {
    instance.check(instance.operand({3, 0}, 0), instance.operand({0, 20}, 1), instance.bias(20, 2));
    instance.check(instance.operand({0, 4}, 0), instance.operand({4, 20}, 1));
    instance.check(instance.operand({3, 4}, 0), instance.operand({4, 0}, 1));
  });
}

TEST_CASE("an element does not depend on the ranges that a product is split into") {
  for_each_instance([](auto instance) {
    constexpr std::int64_t rows = 700, depth = 600;
    for (const std::int64_t columns : {200, 1024}) {
      for (const bool is_transposed : {false, true}) {
        const auto matrix = [&](std::int64_t height, std::int64_t width, int key) {
          return is_transposed ? instance.operand({width, height}, key).t() : instance.operand({height, width}, key);
        };
        const torch::Tensor a = matrix(rows, depth, 0), b = matrix(depth, columns, 1);
        const torch::Tensor whole = instance.product(a, b);
        for (const auto& [column, width] : {std::pair<std::int64_t, std::int64_t>{0, 128}, {128, columns - 128}}) {
          for (const auto& [row, height] : {std::pair<std::int64_t, std::int64_t>{0, 7}, {7, 93}, {100, 600}}) {
            const torch::Tensor part = instance.product(a.narrow(0, row, height), b.narrow(1, column, width));
            CHECK(part.equal(whole.narrow(0, row, height).narrow(1, column, width)));
          }
        }
      }
    }
  });
}

TEST_CASE("rows of a matrix may all lie at one place") {
  for_each_instance([](auto instance) {
    instance.check(instance.operand({1, 32}, 0).expand({16, 32}), instance.operand({1, 64}, 1).expand({32, 64}));
  });
}

TEST_CASE("gemm keeps NaN, and refuses sizes and strides that do not fit") {
  for_each_instance([]<class Number, class Operand, class Out>(Instance<Number, Operand, Out>) {
    const std::vector<Operand> values(64, std::numeric_limits<float>::quiet_NaN());
    std::vector<Out> out(64);
    const auto multiply = [&](const BasicMatrixView<Operand>& a, std::int64_t c_row_stride) {
      gemm<Number>(a, row_major(values.data(), 2, 16), out.data(), c_row_stride, Epilogue<Out>{.relu = true});
    };
    multiply(row_major(values.data(), 1, 2), 16);
    CHECK(std::isnan(static_cast<float>(out[15])));
    CHECK_THROWS(multiply(row_major(values.data(), 1, 3), 16));
    CHECK_THROWS(multiply({values.data(), 2, 2, 4, 2}, 16));
    CHECK_THROWS(multiply(row_major(values.data(), 1, 2), 15));
  });
}

TEST_CASE("gemm of bfloat16 and LibTorch's products take turns") {
  for_each_instance([](auto instance) {
    const torch::Tensor a = noise({64, 96}, 0, torch::kBFloat16), b = noise({96, 128}, 1, torch::kBFloat16);
    const torch::Tensor first = a.mm(b);
    const torch::Tensor own_a = instance.operand({64, 96}, 2), own_b = instance.operand({96, 128}, 3);
    instance.check(own_a, own_b);
    CHECK(a.mm(b).equal(first));
    instance.check(own_a, own_b);
  });
}

}  // namespace moe
