#pragma once
// Matrix products of bfloat16 for experts with few rows, in the calling thread, by AVX512_BF16's sums of pairs. On many
// rows LibTorch's product is as fast; on few it packs for longer than it multiplies. bench/ measures both.

#include "kernels/matrix_view.h"

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

using Bf16View = BasicMatrixView<c10::BFloat16>;

/// What is done with a sum of products before it is rounded and stored.
struct Bf16ProductEnd {
  const c10::BFloat16* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;
  bool stream = false;                      ///< written past the caches: nobody reads it soon
  const c10::BFloat16* row_bias = nullptr;  ///< [rows of a], or none
};

/// Whether summed elements of b, if they lie side by side, can be read as pairs.
inline bool has_column_pairs(const Bf16View& b) {
  return b.column_stride == 1 || (b.rows % 2 == 0 && (b.columns == 1 || b.column_stride % 2 == 0));
}

/// Whether this processor has what the product needs.
bool has_bf16_product();

/// c = end(a b), added up in float32; c is contiguous. One stride of each operand is 1, and where summed elements lie
/// side by side their number is even. Requires has_bf16_product().
void bf16_product(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16ProductEnd& end = {});

/// The rows of a matrix whose columns lie apart (row_stride 1) into contiguous rows. Requires an even number of
/// columns, and has_matrix_product() (kernels/matrix_product.h).
void copy_crosswise(const Bf16View& matrix, c10::BFloat16* out);

}  // namespace moe
