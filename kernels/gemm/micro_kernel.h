#pragma once
// The product of small blocks by oneDNN's micro-kernel, which LibTorch exports: compiled while the program runs, for
// this processor's instructions and for every size and stride that is asked for, and kept, 20 KB each, by each thread.
// So callers pad their blocks to few sizes.

#include "core/error.h"

#include <ATen/native/CPUBlas.h>
#include <c10/util/BFloat16.h>

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <type_traits>

#if !defined(CPUBLAS_BRGEMM_F32F32F32) || !defined(CPUBLAS_BRGEMM_BF16BF16F32)
#error "This LibTorch has no at::native::cpublas::brgemm for float32 and bfloat16 (ATen/native/CPUBlas.h)."
#endif

namespace moe {

/// A block of an operand: Numbers, the rows `stride` apart.
template <class Number>
struct Block {
  const Number* data = nullptr;
  std::int64_t stride = 0;
};

struct BlockSize {
  std::int64_t rows, columns, depth;
};

template <class Number>
inline constexpr bool is_paired = std::is_same_v<Number, c10::BFloat16>;

/// sums = a b, or sums += a b. `sums`: float32, the rows `sum_stride` apart. Of bfloat16 b is in pairs of rows (VNNI
/// layout), [depth / 2, stride, 2], and the depth is even. Throws Error where the kernel cannot be compiled.
template <class Number>
void multiply_blocks(const BlockSize& size, const Block<Number>& a, const Block<Number>& b, bool accumulate,
                     float* sums, std::int64_t sum_stride) {
  try {
    at::native::cpublas::brgemm(size.rows, size.columns, size.depth, a.stride, b.stride, sum_stride, accumulate, a.data,
                                b.data, sums, is_paired<Number>);
  } catch (const std::exception& error) {  // as oneDNN says it where a mapping of memory fails, too
    throw Error(
        fmt::format("A kernel for matrix products of [{}, {}] and [{}, {}] could not be compiled, for example out "
                    "of memory: {}.",
                    size.rows, size.depth, size.depth, size.columns, error.what()),
        ExitStatus::machine_failed);
  }
}

/// Gives tile registers back, where there are any: after the last block that a thread multiplies.
template <class Number>
void release_blocks() {
  if constexpr (is_paired<Number>) at::native::cpublas::brgemm_release(/*is_vnni=*/true);
}

}  // namespace moe
