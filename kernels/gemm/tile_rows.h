#pragma once
// How a tile of a product walks along the rows that it multiplies.

#include "kernels/gemm/product_operands.h"

#include <cstdint>

namespace moe {

/// Hides from the compiler where a pointer comes from. It would else keep each row's distance in a register, and most
/// of them on the stack.
template <class T>
[[gnu::always_inline]] inline void hide_origin(T& value) {
  asm("" : "+r"(value));
}

/// Where the rows of a tile are read: a pointer to every third, from which the next two are reached by what an address
/// can add. With `crosswise` one pointer, since the rows lie side by side.
template <int R, bool crosswise>
struct TileRows {
  static constexpr int pointers = crosswise ? 1 : (R + 2) / 3;

  [[gnu::always_inline]] TileRows(const float* first, std::int64_t row_stride) : stride(row_stride) {
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < pointers; ++i) {
      row[i] = first + 3 * i * stride;
      hide_origin(row[i]);
    }
  }
  /// Of row r, `k` steps along the summed index from here.
  [[gnu::always_inline]] const float* at(int r, int k) const {
    return crosswise ? row[0] + r : row[r / 3] + r % 3 * stride + k;
  }
  [[gnu::always_inline]] void move(std::int64_t elements) {
#pragma GCC unroll 4
    for (int i = 0; i < pointers; ++i) {
      row[i] += elements;
      hide_origin(row[i]);
    }
  }

  const float* row[pointers] = {};
  std::int64_t stride;
};

/// Fetches a line of each of R rows that come later, from `column` on.
template <int R>
[[gnu::always_inline]] inline void fetch_rows(const RowsAhead& rows, std::int64_t column) {
  const char* ahead = rows.at(0, column);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    __builtin_prefetch(ahead);
    ahead += rows.row_bytes;
    hide_origin(ahead);
  }
}

}  // namespace moe
