#pragma once
// Matrix products of bfloat16 for experts with few rows, in the calling thread, by AVX512_BF16's sums of pairs. On many
// rows LibTorch's product is as fast; on few it packs for longer than it multiplies. bench/ measures both.

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

/// A bfloat16 matrix that is stored elsewhere; strides count elements.
struct Bf16View {
  const c10::BFloat16* data = nullptr;
  std::int64_t rows = 0, columns = 0;
  std::int64_t row_stride = 0, column_stride = 1;

  Bf16View transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

/// Contiguous rows.
inline Bf16View row_major(const c10::BFloat16* data, std::int64_t rows, std::int64_t columns) {
  return {data, rows, columns, columns};
}

/// What is done with a sum of products before it is rounded and stored.
struct Bf16ProductEnd {
  const c10::BFloat16* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;
  bool stream = false;  ///< written past the caches: nobody reads it soon
};

/// Whether this processor has what the product needs.
bool has_bf16_product();

/// c = end(a b), added up in float32; c is contiguous. One stride of each operand is 1, and where summed elements lie
/// side by side their number is even. Requires has_bf16_product().
void bf16_product(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end = {});

}  // namespace moe
