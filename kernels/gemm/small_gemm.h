#pragma once
// Products without blocks to compile: heads of attention, and gradients of the weights of experts with few rows.
// Without them, in medians of rounds in turns, a training step at width 128 (bench_training_step, step/tiny) took 1.03
// times as long in fp32 and 1.10 times in bf16, with two passes 1.07 and 1.06 times, on an Intel Xeon with AVX-512;
// training a layer (bench_moe_layer) on an EPYC with AVX512_BF16 1.08 times in fp32 with 256 experts and `switch`, 1.04
// with 64 and `top_k`, in bf16 1.16 and 1.14 times with 256 experts and `switch` or `top_k`, 1.09 and 1.06 with 64.

#include "kernels/gemm/matrix_view.h"

#include <cstdint>

namespace moe {

/// c = a b, summed in float32, in the calling thread. The columns of b are whole vectors of 16, side by side; the
/// strides of a are any. non_temporal: c is stored past the caches, as in Epilogue. Float requires has_avx2();
/// c10::BFloat16, whose operands are copied in pairs, has_avx512_bf16(), and one stride of a is 1.
template <class Scalar>
void small_gemm(const BasicMatrixView<Scalar>& a, const BasicMatrixView<Scalar>& b, Scalar* c,
                std::int64_t c_row_stride, bool non_temporal = false);

}  // namespace moe
