#pragma once
// Addresses of the rows of A that a micro-kernel reads.

#include "kernels/gemm/operands.h"

#include <cstdint>

namespace moe {

/// Makes a pointer opaque to the compiler. Otherwise it computes every row's address from one base, keeps the offsets
/// in registers, and spills most of them to the stack.
template <class T>
[[gnu::always_inline]] inline void make_opaque(T& value) {
  asm("" : "+r"(value));
}

/// Pointers to the R rows of a tile of A. One pointer serves three rows: an x86 address can add a register once or
/// twice, so rows 1 and 2 are pointer + stride and pointer + 2 stride. With `transposed` the rows are adjacent
/// elements, and one pointer serves all.
template <int R, bool transposed>
struct TileRows {
  static constexpr int pointers = transposed ? 1 : (R + 2) / 3;

  [[gnu::always_inline]] TileRows(const float* first, std::int64_t row_stride) : stride(row_stride) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < pointers; ++i) {
      row[i] = first + 3 * i * stride;
      make_opaque(row[i]);
    }
  }
  /// Row r, `k` steps further along K.
  [[gnu::always_inline]] const float* at(int r, int k) const {
    return transposed ? row[0] + r : row[r / 3] + r % 3 * stride + k;
  }
  [[gnu::always_inline]] void move(std::int64_t elements) {
#pragma GCC unroll 4
    for (int i = 0; i < pointers; ++i) {
      row[i] += elements;
      make_opaque(row[i]);
    }
  }

  const float* row[pointers] = {};
  std::int64_t stride;
};

/// Prefetches one cache line, from `column` on, of each of R rows that are read later.
template <int R>
[[gnu::always_inline]] inline void prefetch_rows(const PrefetchHint& rows, std::int64_t column) {
  const char* ahead = rows.at(0, column);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    __builtin_prefetch(ahead);
    ahead += rows.row_bytes;
    make_opaque(ahead);
  }
}

}  // namespace moe
