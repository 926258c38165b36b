#pragma once

namespace moe {

/// Epilogue of a gemm: what is done with the float32 sums before they are stored as Scalars.
template <class Scalar>
struct Epilogue {
  const Scalar* column_bias = nullptr;  ///< [columns of b], or none
  bool relu = false;                    ///< NaN stays NaN, as in LibTorch's
  bool non_temporal = false;            ///< stored past the caches: nobody reads it soon
  const Scalar* row_bias = nullptr;     ///< [rows of a], or none
};

}  // namespace moe
