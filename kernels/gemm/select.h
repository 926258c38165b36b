#pragma once
// Which product computes what on this processor: asked here by everything, decided in one table (kernels/README.md).

#include <torch/types.h>

#include <cstdint>
#include <type_traits>

namespace moe {

enum class Product {
  library,  ///< LibTorch's: MKL, oneDNN or OpenBLAS
  float32,  ///< gemm<float>; of bfloat16 by upcast
  pairs,    ///< gemm<c10::BFloat16>: bfloat16 pairs, by AMX or AVX512_BF16
};

/// What sizes of gemm's blocks are padded to. Finer multiplies less for nothing, and compiles more kernels.
struct BlockMultiples {
  std::int64_t rows = 2, depth = 2;
};

struct Products {
  /// Of linear maps, which all threads share.
  Product linear = Product::library;
  /// Of such a linear map; on fewer rows the product is LibTorch's.
  std::int64_t fewest_rows = 0;
  /// Of experts and heads of attention, a thread each; library: all threads share them.
  Product one_thread = Product::library;
  /// Whether experts of few rows are skinny_gemm (kernels/gemm/skinny_gemm.h).
  bool skinny = false;
  /// Up to how many rows of an expert the gradients of its weights are small_gemm.
  std::int64_t most_gradient_rows = 0;
  BlockMultiples multiples = {};
};

/// Of float32 and bfloat16 on the CPU; of other types LibTorch's.
const Products& products_of(torch::Dtype type);

/// Of a linear map of so many rows.
Product linear_product(torch::Dtype type, std::int64_t rows);

/// Up to how many rows an expert is worth one thread by itself; on more, LibTorch's linear maps with all threads are
/// faster where they are the fastest.
std::int64_t most_rows_of_one_thread(torch::Dtype type);

/// Whether an expert of so many rows is computed by skinny_gemm.
bool takes_skinny_gemm(torch::Dtype type, std::int64_t rows, std::int64_t width, std::int64_t hidden_width);

/// Whether a float32 product [rows, depth] [depth, columns] of attention is small_gemm: so little does not pay for the
/// packing of gemm.
bool takes_small_gemm(std::int64_t rows, std::int64_t depth, std::int64_t columns);

/// Whether the gradient of a weight is small_gemm. `rows`: of the expert; `columns`: of the weight.
bool gradient_takes_small_gemm(torch::Dtype type, std::int64_t rows, std::int64_t columns);

/// Calls work(Number{}) with what gemm multiplies for experts and attention of Scalars, where it does: float, or
/// c10::BFloat16 where it multiplies pairs of them.
template <class Scalar, class Work>
void with_numbers_of(Work work) {
  if constexpr (std::is_same_v<Scalar, float>) {
    work(float());
  } else {
    products_of(torch::kBFloat16).one_thread == Product::pairs ? work(c10::BFloat16()) : work(float());
  }
}

}  // namespace moe
