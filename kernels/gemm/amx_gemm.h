#pragma once
// bf16_gemm by the tile registers of Intel's AMX, which multiply 16 times as much at once.

#include "kernels/gemm/bf16_operands.h"

namespace moe {

/// c = end(a b), added up in float32; the rows of c stand `c_row_stride` apart. One stride of each operand is 1, and
/// where summed elements of b lie side by side their number is even. An element's sum does not depend on how the
/// product is cut into ranges of rows and of columns. Requires has_amx_bf16().
void amx_gemm(const Bf16View& a, const Bf16View& b, c10::BFloat16* c, std::int64_t c_row_stride,
              const Bf16Epilogue& end = {});

/// The sums themselves. Rows of c are written in whole vectors of 16, with zeros behind the last column.
void amx_gemm(const Bf16View& a, const Bf16View& b, float* c, std::int64_t c_row_stride);

}  // namespace moe
