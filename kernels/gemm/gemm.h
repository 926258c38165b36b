#pragma once
// Matrix products in the calling thread, on the micro-kernel of LibTorch's library (kernels/gemm/micro_kernel.h).

#include "kernels/gemm/epilogue.h"
#include "kernels/gemm/matrix_view.h"
#include "kernels/gemm/select.h"

#include <c10/util/BFloat16.h>

#include <cstdint>

namespace moe {

inline constexpr std::int64_t gemm_columns = 64;  ///< of c that the micro-kernel computes at once

/// c = epilogue(a b), summed in float32. One stride of each operand is 1; rows of c are contiguous, `c_row_stride`
/// apart. The sum of an element, to the last bit, is the same however callers split rows and columns.
/// Number: what is multiplied, float or, in pairs, c10::BFloat16, which needs has_avx512_bf16(). Instances: operands of
/// float as float; of BFloat16 as either, with an Out of BFloat16, or float where pairs are multiplied.
/// at_least: the multiples that blocks are padded to, where sizes change from call to call.
/// Throws Error where sizes and strides do not fit.
template <class Number, class Operand, class Out>
void gemm(const BasicMatrixView<Operand>& a, const BasicMatrixView<Operand>& b, Out* c, std::int64_t c_row_stride,
          const Epilogue<Out>& epilogue = {}, const BlockMultiples& at_least = {});

}  // namespace moe
