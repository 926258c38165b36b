#pragma once
// Operands of bfloat16 products, and what is done with the sums.

#include "kernels/gemm/matrix_view.h"

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

using Bf16View = BasicMatrixView<c10::BFloat16>;

/// Epilogue of a bfloat16 gemm: what is done with a float32 sum before it is rounded and stored.
struct Bf16Epilogue {
  const c10::BFloat16* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;
  bool stream = false;                      ///< non-temporal store, past the caches: nobody reads it soon
  const c10::BFloat16* row_bias = nullptr;  ///< [rows of a], or none
};

/// Whether b can be read in pairs along K, as the VNNI layout needs: always if its rows are contiguous, else K and the
/// stride must be even.
inline bool has_column_pairs(const Bf16View& b) {
  return b.column_stride == 1 || (b.rows % 2 == 0 && (b.columns == 1 || b.column_stride % 2 == 0));
}

}  // namespace moe
