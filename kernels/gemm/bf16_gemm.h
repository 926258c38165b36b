#pragma once
// Matrix products of bfloat16 for experts with few rows, in the calling thread, by AVX512_BF16's sums of pairs. On many
// rows LibTorch's product is as fast; on few it packs for longer than it multiplies. bench/ measures both.

#include "kernels/gemm/bf16_operands.h"

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

/// c = end(a b), added up in float32; c is contiguous. One stride of each operand is 1, and where summed elements lie
/// side by side their number is even. Requires has_avx512_bf16().
void bf16_gemm(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, const Bf16Epilogue& end = {});

/// The rows of a matrix whose columns lie apart (row_stride 1) into contiguous rows. Requires an even number of
/// columns, and has_avx2().
void pack_transposed(const Bf16View& matrix, c10::BFloat16* out);

}  // namespace moe
