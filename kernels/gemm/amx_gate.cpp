#include "kernels/gemm/amx_gate.h"

#include "core/error.h"
#include "kernels/gemm/amx_tiles.h"
#include "kernels/gemm/gemm.h"
#include "kernels/simd/workspace.h"

#include <ATen/Parallel.h>

#include <algorithm>

// Legend: P parts of a float32.

namespace moe {

#ifdef MOE_HAS_AMX_CODE
namespace amx {
namespace {

using c10::BFloat16;

constexpr std::int64_t most_parts = 3;
constexpr std::int64_t fewest_rows = 256;  ///< worth a thread

/// A float32 matrix as the sum of bfloat16 ones, [P, rows, columns]. The columns are an even number: a last one may
/// be 0.
struct Parts {
  const BFloat16* data = nullptr;
  std::int64_t rows = 0, columns = 0;

  Bf16View part(std::int64_t p) const { return row_major(data + p * rows * columns, rows, columns); }
};

/// Each part is what is left of the number by those before it, rounded: three hold all of its mantissa.
MOE_AMX Parts split(const MatrixView& matrix, std::int64_t parts, Workspace& workspace) {
  const std::int64_t rows = matrix.rows, columns = (matrix.columns + 1) / 2 * 2;
  auto* out = reinterpret_cast<BFloat16*>(workspace.reserve(parts * rows * columns / 2));
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = matrix.data + r * matrix.row_stride;
    for (std::int64_t c = 0; c < columns; c += lanes) {
      __m512 rest = _mm512_maskz_loadu_ps(tail_mask(matrix.columns - c), row + c);
      const __mmask16 written = tail_mask(columns - c);
      for (std::int64_t p = 0; p < parts; ++p) {
        const auto part = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(rest));
        _mm256_mask_storeu_epi16(out + (p * rows + r) * columns + c, written, part);
        rest = _mm512_sub_ps(rest, widen(part));
      }
    }
  }
  return {out, rows, columns};
}

/// Parts of an operand in tiles, one behind the other.
struct Tiles {
  std::uint32_t* data = nullptr;
  std::int64_t size = 0;  ///< of a part

  Tiles(Workspace& workspace, std::int64_t parts, std::int64_t part_size)
      : data(reinterpret_cast<std::uint32_t*>(workspace.reserve(parts * part_size))), size(part_size) {}
  std::uint32_t* part(std::int64_t p) const { return data + p * size; }
};

MOE_AMX void logits_of(const GateShape& shape, const Bf16View& x, const Parts& w, float* logits) {
  thread_local Workspace row_workspace, strip_workspace, sum_workspace;
  const std::int64_t steps = sides(shape.width), strips = sides(shape.experts), strip = strip_pairs(steps);
  const Tiles columns(strip_workspace, most_parts, strips * strip);
  for (std::int64_t p = 0; p < most_parts; ++p) copy_columns(w.part(p).transposed(), steps, columns.part(p));
  const Tiles rows(row_workspace, 1, steps * step_pairs);
  float* sums = sum_workspace.reserve(side * side);
  const TileScope tiles;
  for (std::int64_t t = 0; t < x.rows; t += side) {
    const std::int64_t count = std::min(side, x.rows - t);
    copy_rows(x.row_range(t, count), steps, rows.data);
    for (std::int64_t s = 0; s < strips; ++s) {
      const auto with = [&](std::int64_t p) {
        return Factors{RowTiles::copied(rows.data), columns.part(p) + s * strip};
      };
      sum_square({with(0), with(1), with(2)}, steps, /*is_first=*/true, sums);
      const std::int64_t experts = std::min(side, shape.experts - s * side);
      for (std::int64_t r = 0; r < count; ++r) {
        std::copy_n(sums + r * side, experts, logits + (t + r) * shape.experts + s * side);
      }
    }
  }
}

MOE_AMX void state_gradients_of(const GateShape& shape, const MatrixView& grad, const Parts& w, BFloat16* grad_x) {
  constexpr std::int64_t parts = 2;
  thread_local Workspace part_workspace, row_workspace, strip_workspace, sum_workspace;
  const std::int64_t steps = sides(shape.experts), strip = strip_pairs(steps);
  const Tiles columns(strip_workspace, parts, sides(shape.width) * strip);
  for (std::int64_t p = 0; p < parts; ++p) copy_columns(w.part(p), steps, columns.part(p));
  const Tiles rows(row_workspace, parts, steps * step_pairs);
  float* sums = sum_workspace.reserve(side * side);
  const TileScope tiles;
  for (std::int64_t t = 0; t < grad.rows; t += side) {
    const std::int64_t count = std::min(side, grad.rows - t);
    const Parts split_grad = split(grad.row_range(t, count), parts, part_workspace);
    for (std::int64_t p = 0; p < parts; ++p) copy_rows(split_grad.part(p), steps, rows.part(p));
    for (std::int64_t d = 0; d < shape.width; d += side) {
      const auto product = [&](std::int64_t p, std::int64_t q) {
        return Factors{RowTiles::copied(rows.part(p)), columns.part(q) + d / side * strip};
      };
      sum_square({product(0, 0), product(0, 1), product(1, 0)}, steps, /*is_first=*/true, sums);
      store_square(sums, count, std::min(side, shape.width - d), {}, grad_x + t * shape.width + d, shape.width);
    }
  }
}

/// Of the experts and the columns of x that the views hold; a row of grad_w has `width` elements.
MOE_AMX void weight_gradients_of(const MatrixView& grad, const Bf16View& x, float* grad_w, std::int64_t width) {
  constexpr std::int64_t tokens_at_once = 512;
  thread_local Workspace part_workspace, row_workspace, strip_workspace, sum_workspace;
  const std::int64_t blocks = sides(grad.columns), strips = sides(x.columns);
  constexpr std::int64_t most_steps = tokens_at_once / side;
  const Tiles columns(strip_workspace, 1, strips * strip_pairs(most_steps));
  const Tiles rows(row_workspace, most_parts, blocks * most_steps * step_pairs);
  float* sums = sum_workspace.reserve(blocks * strips * side * side);
  const TileScope tiles;
  for (std::int64_t t = 0; t < x.rows; t += tokens_at_once) {
    const std::int64_t count = std::min(tokens_at_once, x.rows - t), steps = sides(count);
    copy_columns(x.row_range(t, count), steps, columns.data);
    const Parts split_grad = split(grad.row_range(t, count), most_parts, part_workspace);
    for (std::int64_t p = 0; p < most_parts; ++p) copy_rows(split_grad.part(p).transposed(), steps, rows.part(p));
    for (std::int64_t b = 0; b < blocks; ++b) {
      for (std::int64_t s = 0; s < strips; ++s) {
        const auto with = [&](std::int64_t p) {
          return Factors{RowTiles::copied(rows.part(p) + b * steps * step_pairs),
                         columns.data + s * strip_pairs(steps)};
        };
        sum_square({with(0), with(1), with(2)}, steps, /*is_first=*/t == 0, sums + (b * strips + s) * side * side);
      }
    }
  }
  for (std::int64_t e = 0; e < grad.columns; ++e) {
    for (std::int64_t d = 0; d < x.columns; d += side) {
      const float* square = sums + (e / side * strips + d / side) * side * side;
      std::copy_n(square + e % side * side, std::min(side, x.columns - d), grad_w + e * width + d);
    }
  }
}

}  // namespace
}  // namespace amx

void amx_gate_logits(const GateShape& shape, const c10::BFloat16* x, const float* w, float* logits) {
  Workspace workspace;
  const amx::Parts parts = amx::split(row_major(w, shape.experts, shape.width), amx::most_parts, workspace);
  at::parallel_for(0, shape.tokens, amx::fewest_rows, [&](std::int64_t begin, std::int64_t end) {
    amx::logits_of(shape, row_major(x + begin * shape.width, end - begin, shape.width), parts,
                   logits + begin * shape.experts);
  });
}

void amx_gate_state_gradients(const GateShape& shape, const float* grad_logits, const float* w, c10::BFloat16* grad_x) {
  Workspace workspace;
  const amx::Parts parts = amx::split(row_major(w, shape.experts, shape.width), 2, workspace);
  at::parallel_for(0, shape.tokens, amx::fewest_rows, [&](std::int64_t begin, std::int64_t end) {
    amx::state_gradients_of(shape, row_major(grad_logits + begin * shape.experts, end - begin, shape.experts), parts,
                            grad_x + begin * shape.width);
  });
}

void amx_gate_weight_gradients(const GateShape& shape, const float* grad_logits, const c10::BFloat16* x,
                               float* grad_w) {
  const MatrixView grad = row_major(grad_logits, shape.tokens, shape.experts);
  const Bf16View states = row_major(x, shape.tokens, shape.width);
  // Each thread splits the gradients that it multiplies: its own experts', or all where they are too few to share out.
  const bool by_experts = amx::sides(shape.experts) >= at::get_num_threads();
  const std::int64_t count = by_experts ? shape.experts : shape.width;
  at::parallel_for(0, amx::sides(count), 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * amx::side, few = std::min(end * amx::side, count) - first;
    by_experts
        ? amx::weight_gradients_of(grad.column_range(first, few), states, grad_w + first * shape.width, shape.width)
        : amx::weight_gradients_of(grad, states.column_range(first, few), grad_w + first, shape.width);
  });
}

#else

void amx_gate_logits(const GateShape&, const c10::BFloat16*, const float*, float*) {
  throw Error("This processor has no tile registers.", ExitStatus::machine_failed);
}

void amx_gate_state_gradients(const GateShape&, const float*, const float*, c10::BFloat16*) {
  throw Error("This processor has no tile registers.", ExitStatus::machine_failed);
}

void amx_gate_weight_gradients(const GateShape&, const float*, const c10::BFloat16*, float*) {
  throw Error("This processor has no tile registers.", ExitStatus::machine_failed);
}

#endif

}  // namespace moe
