#pragma once

#include <cstdint>

namespace moe {

/// Epilogue of a gemm: what is done with the float32 sums before they are stored as Scalars.
template <class Scalar>
struct Epilogue {
  const Scalar* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;                    ///< NaN stays NaN, as in LibTorch's
  bool non_temporal = false;            ///< stored past the caches: nobody reads it soon
  const Scalar* row_bias = nullptr;     ///< [rows of a], or none
};

/// out = sums + column_bias + row_bias of a row, then relu if asked. `column_bias`: or null; `out` may be `sums`.
void apply_epilogue(const float* sums, std::int64_t columns, const float* column_bias, float row_bias, bool relu,
                    float* out);

}  // namespace moe
