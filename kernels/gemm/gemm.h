#pragma once
// Matrix products of float32 with AVX-512, or with AVX2 (kernels/gemm/avx2_gemm.h), in the calling thread. They end
// with a bias and a relu, where those of MKL, which LibTorch takes, need a pass behind them, and read operands that
// meet only a few rows where they lie, where any BLAS packs them. With AVX-512 they are as fast as MKL's on Intel's
// processors; on AMD's, MKL keeps to AVX2. bench/ measures all beside each other.

#include "kernels/gemm/operands.h"

#include <cstdint>

namespace moe {

/// c = epilogue(a b). One stride of each operand is 1; rows of c are `c_row_stride` apart and contiguous.
/// The sum of an element, to the last bit, is the same however callers split the product into ranges of rows, and of
/// columns in multiples of gemm_columns. Requires has_avx2().
void gemm(const MatrixView& a, const MatrixView& b, float* c, std::int64_t c_row_stride, const Epilogue& end = {},
          const PrefetchHint& ahead = {});

/// The rows of a matrix whose columns lie apart (row_stride 1), each with its elements side by side; with
/// `fills_vectors` in whole vectors of 16, with zeros behind the last. `out`: a row every `out_row_stride`. Requires
/// has_avx2().
void pack_transposed(const MatrixView& matrix, float* out, std::int64_t out_row_stride, bool fills_vectors = true);

}  // namespace moe
