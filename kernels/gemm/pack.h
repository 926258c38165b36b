#pragma once
// Copies of operands as the micro-kernel reads them: side by side, padded with zeros, float32 or bfloat16 in pairs.

#include "kernels/gemm/matrix_view.h"

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

/// Rows of a, [rows, depth] with their padding: `out` is [rows, stride], of which the first `depth` elements of each
/// row count. Of bfloat16 the stride is even.
template <class Number, class Operand>
void pack_rows(const BasicMatrixView<Operand>& a, std::int64_t rows, std::int64_t depth, std::int64_t stride,
               Number* out);

/// Columns of b: `out` is [depth, stride] or, of bfloat16, [depth / 2, stride, 2].
template <class Number, class Operand>
void pack_columns(const BasicMatrixView<Operand>& b, std::int64_t depth, std::int64_t stride, Number* out);

/// out[c, r] = in[r, c], `rows` of `columns` elements `in_stride` apart to rows `out_stride` apart.
void transpose(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns, float* out,
               std::int64_t out_stride);

}  // namespace moe
