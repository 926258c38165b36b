#pragma once
// Matrix products for experts with few rows. A BLAS packs both operands into a layout of its own before it multiplies,
// which pays when each is used often; an expert's weights meet only a few dozen rows, so here they are read where they
// lie, once. bench/ measures both.

#include <cstdint>

namespace moe {

/// c = activation(a b + bias), float32. Strides count elements.
struct SmallProduct {
  std::int64_t rows = 0, columns = 0, depth = 0;  ///< columns: a multiple of small_product_lanes
  const float* a = nullptr;                       ///< a[i, k] = a[i * a_row + k * a_depth]
  std::int64_t a_row = 0, a_depth = 0;
  const float* b = nullptr;  ///< b[k, j] = b[k * b_depth + j]
  std::int64_t b_depth = 0;
  float* c = nullptr;  ///< c[i, j] = c[i * c_row + j]
  std::int64_t c_row = 0;
  const float* bias = nullptr;  ///< [rows], or none
  bool relu = false;
};

inline constexpr std::int64_t small_product_lanes = 16;

/// Whether this processor has the vector units that the product is written for (AVX2 with FMA, or AVX-512).
bool has_small_product();

/// Computes the product in the calling thread. Requires has_small_product().
void small_product(const SmallProduct& product);

}  // namespace moe
