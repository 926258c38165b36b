#include "kernels/gemm/pack.h"

#include "kernels/simd/bf16_rows.h"
#include "kernels/simd/cpu_isa.h"
#include "kernels/simd/transpose_block.h"
#include "kernels/simd/vector_math.h"
#include "kernels/simd/workspace.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace moe {
namespace {

using c10::BFloat16;

struct Extent {
  std::int64_t rows, columns;
};

/// Zeros in what is left of a block, in rows `stride` apart, beside and below the part that is copied to.
template <class Number>
void clear_padding(Extent copied, Extent block, std::int64_t stride, Number* out) {
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t first = r < copied.rows ? copied.columns : 0;
    std::fill(out + r * stride + first, out + r * stride + block.columns, Number(0));
  }
}

template <class Number>
void copy_row(const Number* in, std::int64_t count, Number* out) {
  std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(Number));
}
void copy_row(const BFloat16* in, std::int64_t count, float* out) {
  widen_row(in, count, out);
}

/// Contiguous rows, `out_stride` apart.
template <class Number, class Operand>
void copy_rows(const BasicMatrixView<Operand>& matrix, Number* out, std::int64_t out_stride) {
  if (matrix.columns == 0) return;  // where there may be no memory either
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    copy_row(matrix.data + r * matrix.row_stride, matrix.columns, out + r * out_stride);
  }
}

/// Pairs of rows: out[k / 2, n, k % 2] = matrix[k, n]. The partner of a last odd row is 0.
MOE_VECTOR_CLONES void pair_rows(const BFloat16* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns,
                                 std::uint32_t* out, std::int64_t out_stride) {
  for (std::int64_t k = 0; k + 1 < rows; k += 2, in += 2 * in_stride, out += out_stride) {
    const BFloat16* second = in + in_stride;
#pragma omp simd
    for (std::int64_t n = 0; n < columns; ++n) {
      out[n] = static_cast<std::uint32_t>(in[n].x) | static_cast<std::uint32_t>(second[n].x) << 16U;
    }
  }
  if (rows % 2 != 0) {
    for (std::int64_t n = 0; n < columns; ++n) out[n] = in[n].x;
  }
}

void transpose_scalars(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns, float* out,
                       std::int64_t out_stride) {
  for (std::int64_t r = 0; r < rows; r += vector_floats) {
    const std::int64_t end = std::min(r + vector_floats, rows);
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t i = r; i < end; ++i) out[c * out_stride + i] = in[i * in_stride + c];
    }
  }
}

#ifdef MOE_HAS_X86_CODE
MOE_AVX512 void transpose_vectors(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns,
                                  float* out, std::int64_t out_stride) {
  for (std::int64_t r = 0; r < rows; r += vector_floats) {
    for (std::int64_t c = 0; c < columns; c += vector_floats) {
      const float* block = in + r * in_stride + c;
      for (std::int64_t i = 0; i < vector_floats; ++i) __builtin_prefetch(block + (vector_floats + i) * in_stride);
      transpose_block(block, in_stride, rows - r, tail_mask(columns - c), out + c * out_stride + r, out_stride,
                      tail_mask(rows - r));
    }
  }
}
#endif

/// Two numbers of a row of bfloat16 as one of 32 bits, for what only moves them.
const float* in_pairs(const BFloat16* numbers) {
  return reinterpret_cast<const float*>(numbers);
}
float* in_pairs(BFloat16* numbers) {
  return reinterpret_cast<float*>(numbers);
}

// What lies transposed, by what it is and what it becomes. `matrix`: the rows as they lie.

/// out[c, r] = matrix[r, c].
void copy_transposed(const BasicMatrixView<float>& matrix, float* out, std::int64_t out_stride) {
  transpose(matrix.data, matrix.row_stride, matrix.rows, matrix.columns, out, out_stride);
}
void copy_transposed(const BasicMatrixView<BFloat16>& matrix, float* out, std::int64_t out_stride) {
  thread_local Workspace workspace;
  float* wide = workspace.reserve(matrix.rows * matrix.columns);
  widen_rows(matrix.data, matrix.row_stride, matrix.rows, matrix.columns, wide);
  transpose(wide, matrix.columns, matrix.rows, matrix.columns, out, out_stride);
}
void copy_transposed(const BasicMatrixView<BFloat16>& matrix, BFloat16* out, std::int64_t out_stride) {
  thread_local Workspace workspace;
  float* pairs = workspace.reserve((matrix.rows + 1) / 2 * matrix.columns);
  pair_rows(matrix.data, matrix.row_stride, matrix.rows, matrix.columns, reinterpret_cast<std::uint32_t*>(pairs),
            matrix.columns);
  transpose(pairs, matrix.columns, (matrix.rows + 1) / 2, matrix.columns, in_pairs(out), out_stride / 2);
}

/// Columns of b, whose summed elements lie apart or side by side.
template <class Operand>
void copy_columns(const BasicMatrixView<Operand>& b, float* out, std::int64_t stride) {
  b.column_stride == 1 ? copy_rows(b, out, stride) : copy_transposed(b.transposed(), out, stride);
}
void copy_columns(const BasicMatrixView<BFloat16>& b, BFloat16* out, std::int64_t stride) {
  if (b.column_stride == 1) {
    pair_rows(b.data, b.row_stride, b.rows, b.columns, reinterpret_cast<std::uint32_t*>(out), stride);
    return;
  }
  const bool reads_pairs = b.column_stride % 2 == 0 && reinterpret_cast<std::uintptr_t>(b.data) % sizeof(float) == 0;
  const std::int64_t paired = reads_pairs ? b.rows / 2 * 2 : 0;
  transpose(in_pairs(b.data), b.column_stride / 2, b.columns, paired / 2, in_pairs(out), stride);
  for (std::int64_t n = 0; n < b.columns; ++n) {
    for (std::int64_t k = paired; k < b.rows; ++k) {
      out[(k / 2 * stride + n) * 2 + k % 2] = b.data[n * b.column_stride + k];
    }
  }
}

}  // namespace

template <class Number, class Operand>
void pack_rows(const BasicMatrixView<Operand>& a, std::int64_t rows, std::int64_t depth, std::int64_t stride,
               Number* out) {
  clear_padding({a.rows, a.columns}, {rows, depth}, stride, out);
  a.column_stride == 1 ? copy_rows(a, out, stride) : copy_transposed(a.transposed(), out, stride);
}

template <class Number, class Operand>
void pack_columns(const BasicMatrixView<Operand>& b, std::int64_t depth, std::int64_t stride, Number* out) {
  if constexpr (std::is_same_v<Number, float>) {
    clear_padding({b.rows, b.columns}, {depth, stride}, stride, out);
  } else {
    clear_padding({b.rows / 2, b.columns}, {depth / 2, stride}, stride, reinterpret_cast<std::uint32_t*>(out));
  }
  copy_columns(b, out, stride);
}

void transpose(const float* in, std::int64_t in_stride, std::int64_t rows, std::int64_t columns, float* out,
               std::int64_t out_stride) {
#ifdef MOE_HAS_X86_CODE
  if (has_avx512()) return transpose_vectors(in, in_stride, rows, columns, out, out_stride);
#endif
  transpose_scalars(in, in_stride, rows, columns, out, out_stride);
}

template void pack_rows(const BasicMatrixView<float>&, std::int64_t, std::int64_t, std::int64_t, float*);
template void pack_rows(const BasicMatrixView<BFloat16>&, std::int64_t, std::int64_t, std::int64_t, float*);
template void pack_rows(const BasicMatrixView<BFloat16>&, std::int64_t, std::int64_t, std::int64_t, BFloat16*);
template void pack_columns(const BasicMatrixView<float>&, std::int64_t, std::int64_t, float*);
template void pack_columns(const BasicMatrixView<BFloat16>&, std::int64_t, std::int64_t, float*);
template void pack_columns(const BasicMatrixView<BFloat16>&, std::int64_t, std::int64_t, BFloat16*);

}  // namespace moe
