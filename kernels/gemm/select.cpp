#include "kernels/gemm/select.h"

#include "kernels/gemm/skinny_gemm.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/vector_math.h"

#include <limits>

namespace moe {
namespace {

/// What a kind of processor does best. The first that fits is taken. Measured with these products: Intel's with
/// AVX-512 and AMD's with AVX512_BF16; the lines of the others are those of kernels that these replaced
/// (docs/performance.md).
struct Processor {
  bool (*fits)() = nullptr;
  Products fp32, bf16;
};

constexpr auto library = Product::library, float32 = Product::float32, pairs = Product::pairs;

// Experts in pairs have blocks of all loads: multiples of 2 would be twice as many kernels.
constexpr BlockMultiples tiles{8, 32}, pair_blocks{4, 16};

// {linear, fewest rows, one thread, skinny, most gradient rows, multiples} of fp32, then of bf16.
constexpr Processor processors[] = {
    {has_amx_bf16, {float32, 32, float32, true}, {pairs, 0, pairs, false, 0, tiles}},
    {[] { return has_avx512_bf16() && runs_on_amd(); },
     {float32, 0, float32, true, 256},
     {library, 0, pairs, true, 256, pair_blocks}},
    {[] { return has_avx512() && runs_on_amd(); }, {float32, 0, float32, true, 256}, {float32, 0, float32, true}},
    {has_avx512, {float32, 32, float32, true}, {float32, 0, float32, true}},
    {has_avx2, {library, 0, float32, true}, {float32, 0, float32, true}},
    {[] { return true; }, {}, {}},
};

const Processor& this_processor() {
  static const Processor* const found = [] {
    const Processor* processor = processors;
    while (!processor->fits()) ++processor;
    return processor;
  }();
  return *found;
}

}  // namespace

const Products& products_of(torch::Dtype type) {
  static const Products others;
  if (type == torch::kFloat32) return this_processor().fp32;
  return type == torch::kBFloat16 ? this_processor().bf16 : others;
}

Product linear_product(torch::Dtype type, std::int64_t rows) {
  const Products& products = products_of(type);
  return rows >= products.fewest_rows ? products.linear : Product::library;
}

std::int64_t most_rows_of_one_thread(torch::Dtype type) {
  return products_of(type).linear == Product::library ? 256 : std::numeric_limits<std::int64_t>::max();
}

bool takes_skinny_gemm(torch::Dtype type, std::int64_t rows, std::int64_t width, std::int64_t hidden_width) {
  return products_of(type).skinny && rows <= most_skinny_rows && has_skinny_gemm(hidden_width, width);
}

bool takes_small_gemm(std::int64_t rows, std::int64_t depth, std::int64_t columns) {
  constexpr std::int64_t most_multiplications = 1 << 21;
  return rows * depth * columns <= most_multiplications && columns % vector_floats == 0;
}

bool gradient_takes_small_gemm(torch::Dtype type, std::int64_t rows, std::int64_t columns) {
  return rows <= products_of(type).most_gradient_rows && columns % vector_floats == 0;
}

}  // namespace moe
