#include "kernels/bf16_rows.h"

#include "kernels/vector_math.h"

namespace moe {

MOE_VECTOR_CLONES void widen_row(const c10::BFloat16* from, std::int64_t count, float* to) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

MOE_VECTOR_CLONES void narrow_row(const float* from, std::int64_t count, c10::BFloat16* to) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<c10::BFloat16>(from[i]);
}

}  // namespace moe
