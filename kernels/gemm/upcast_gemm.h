#pragma once
// Matrix products of bfloat16 by those of float32, in the calling thread, for processors whose bfloat16 instructions
// are slower than their float32 ones (Intel's AVX512_BF16 multiplies half as much as its AVX-512) or that have none,
// where LibTorch's products take tens of times as long. bench/ measures both.

#include "kernels/gemm/bf16_operands.h"

namespace moe {

/// Whether it does better than LibTorch's library and than our other bfloat16 products.
bool prefers_upcast_gemm();

/// c = end(a b), added up in float32. One stride of each operand is 1; the rows of c stand `c_row_stride` apart.
/// An element's sum depends on ranges as in gemm. Requires has_avx2().
void upcast_gemm(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, std::int64_t c_row_stride,
                 const Bf16Epilogue& end = {});

}  // namespace moe
