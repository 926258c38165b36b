#include "kernels/gemm/epilogue.h"

#include "kernels/simd/vector_math.h"

namespace moe {

MOE_VECTOR_CLONES void apply_epilogue(const float* sums, std::int64_t columns, const float* column_bias, float row_bias,
                                      bool relu, float* out) {
  const float least = relu ? 0.0F : -infinity;
  if (column_bias == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) {
      const float sum = sums[i] + row_bias;
      out[i] = sum < least ? least : sum;  // NaN stays NaN
    }
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < columns; ++i) {
      const float sum = sums[i] + column_bias[i] + row_bias;
      out[i] = sum < least ? least : sum;
    }
  }
}

}  // namespace moe
