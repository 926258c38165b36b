#pragma once
// float32 products of all experts in one launch, over offsets that stay on the device: a block of threads computes one
// tile of 64 x 64 elements, each thread 4 x 4 of them. Each element is one chain of fused multiply-adds in the order of
// K.

#include "kernels/cuda/launch.h"

#include <cmath>
#include <cstdint>

// Legend: M rows sorted by expert, E experts, N columns of a result, K the summed index.

namespace moe::cuda {

inline constexpr int tile_side = 64, tile_depth = 16, tile_own = 4;  ///< elements a tile, summed a step, and a thread's
inline constexpr int tile_lanes = tile_side / tile_own;              ///< threads along a side
inline constexpr int tile_loads = tile_side * tile_depth / block_threads;

/// A matrix in memory, whose neighbours lie along its columns or along its rows. Beyond its ends it is 0.
template <bool along_columns>
struct TileOperand {
  const float* at;
  std::int64_t stride;  ///< of the index that is not contiguous
  std::int64_t rows, columns;

  MOE_DEVICE float element(std::int64_t i, std::int64_t j) const {
    if (i >= rows || j >= columns) return 0;
    return along_columns ? at[i * stride + j] : at[j * stride + i];
  }
};

struct alignas(16) FourFloats {
  float of[tile_own];
};

/// What the threads of a block share: a step of both operands, K first.
struct TileStep {
  FourFloats a[tile_depth][tile_lanes + 1], b[tile_depth][tile_lanes + 1];
};

/// What a thread keeps: its elements, the sum of the rows of a (for gradients of biases), and the next step's elements.
struct TileThread {
  float c[tile_own][tile_own];
  float a_sum[tile_own];
  float next_a[tile_loads], next_b[tile_loads];
};

/// c = a b for a tile: a [64, K] and b [K, 64], cut where the matrices end. Phases that all threads of a block go
/// through together: clear; for each step fetch, then stash, then multiply.
template <bool a_along_k, bool b_along_k>
struct Tile {
  TileOperand<a_along_k> a;    ///< rows: of the tile; columns: K
  TileOperand<b_along_k> b_t;  ///< b transposed: rows: columns of the tile; columns: K

  MOE_DEVICE std::int64_t steps() const { return divided_up(a.columns, tile_depth); }

  MOE_DEVICE static void clear(TileThread& own) {
    for (int i = 0; i < tile_own; ++i) {
      own.a_sum[i] = 0;
      for (int j = 0; j < tile_own; ++j) own.c[i][j] = 0;
    }
  }

  /// Which element (side, depth) of a step a thread loads, so that neighbours read neighbours.
  template <bool along_k>
  MOE_DEVICE static int side_of(int thread, int load) {
    const int at = load * block_threads + thread;
    return along_k ? at / tile_depth : at % tile_side;
  }
  template <bool along_k>
  MOE_DEVICE static int depth_of(int thread, int load) {
    const int at = load * block_threads + thread;
    return along_k ? at % tile_depth : at / tile_side;
  }

  MOE_DEVICE void fetch(std::int64_t step, int thread, TileThread& own) const {
    MOE_UNROLL
    for (int l = 0; l < tile_loads; ++l) {
      own.next_a[l] = a.element(side_of<a_along_k>(thread, l), step * tile_depth + depth_of<a_along_k>(thread, l));
      own.next_b[l] = b_t.element(side_of<b_along_k>(thread, l), step * tile_depth + depth_of<b_along_k>(thread, l));
    }
  }

  MOE_DEVICE static void stash(int thread, const TileThread& own, TileStep& shared) {
    MOE_UNROLL
    for (int l = 0; l < tile_loads; ++l) {
      const int a_side = side_of<a_along_k>(thread, l), b_side = side_of<b_along_k>(thread, l);
      shared.a[depth_of<a_along_k>(thread, l)][a_side / tile_own].of[a_side % tile_own] = own.next_a[l];
      shared.b[depth_of<b_along_k>(thread, l)][b_side / tile_own].of[b_side % tile_own] = own.next_b[l];
    }
  }

  MOE_DEVICE static void multiply(int thread, const TileStep& shared, TileThread& own) {
    MOE_UNROLL
    for (int k = 0; k < tile_depth; ++k) {
      const FourFloats a = shared.a[k][thread / tile_lanes], b = shared.b[k][thread % tile_lanes];
      MOE_UNROLL
      for (int i = 0; i < tile_own; ++i) {
        own.a_sum[i] += a.of[i];
        MOE_UNROLL
        for (int j = 0; j < tile_own; ++j) own.c[i][j] = std::fma(a.of[i], b.of[j], own.c[i][j]);
      }
    }
  }

  /// Calls write(row, column, element, sum of the row of a) for the elements of a thread that are inside.
  template <class Write>
  MOE_DEVICE void write(int thread, const TileThread& own, Write write_element) const {
    MOE_UNROLL
    for (int i = 0; i < tile_own; ++i) {
      MOE_UNROLL
      for (int j = 0; j < tile_own; ++j) {
        const int row = thread / tile_lanes * tile_own + i, column = thread % tile_lanes * tile_own + j;
        if (row < a.rows && column < b_t.rows) write_element(row, column, own.c[i][j], own.a_sum[i]);
      }
    }
  }
};

/// Rows of one expert that a tile takes; none where there are fewer tiles.
struct RowTile {
  int expert;
  std::int64_t first, rows;
};

/// How many tiles hold the rows of all experts at most: known without reading the offsets.
constexpr std::int64_t most_row_tiles(std::int64_t rows, std::int64_t experts) {
  const std::int64_t cut = experts < rows ? experts : rows;  // tiles that are not full, one an expert in use at most
  return (rows - cut) / tile_side + cut;
}

/// The tile-th tile, expert by expert. offset: E + 1 numbers.
MOE_HOST_DEVICE inline RowTile row_tile(const std::int32_t* offset, int experts, std::int64_t tile) {
  for (int e = 0; e < experts; ++e) {
    const std::int64_t rows = offset[e + 1] - offset[e], tiles = divided_up(rows, tile_side);
    if (tile < tiles) {
      const std::int64_t left = rows - tile * tile_side;
      return {e, offset[e] + tile * tile_side, left < tile_side ? left : tile_side};
    }
    tile -= tiles;
  }
  return {0, 0, 0};
}

/// out[m] = x[m] w[e]^T + bias[e], then relu if asked; or, with `transposed`, out[m] = x[m] w[e], set to 0 where
/// `hidden` (null: nowhere) is not positive. e is the expert of row m.
template <bool transposed>
struct GroupedRows {
  const float* x;              ///< [M, K]
  const float* w;              ///< [E, N, K], or [E, K, N]
  const std::int32_t* offset;  ///< [E + 1]
  std::int64_t rows;           ///< M
  int experts, k, n;
  const float* bias;  ///< [E, N], null: none
  bool relu;
  const float* hidden;  ///< [M, N]
  float* out;           ///< [M, N]

  std::int64_t blocks() const { return most_row_tiles(rows, experts) * divided_up(n, tile_side); }
  MOE_DEVICE std::int64_t row_tile_of(std::int64_t block) const { return block / divided_up(n, tile_side); }
  MOE_DEVICE std::int64_t first_column(std::int64_t block) const {
    return block % divided_up(n, tile_side) * tile_side;
  }

  MOE_DEVICE Tile<true, !transposed> tile(const RowTile& at, std::int64_t first) const {
    const std::int64_t columns = n - first < tile_side ? n - first : tile_side;
    const float* own = w + static_cast<std::int64_t>(at.expert) * n * k;
    return {{x + at.first * k, k, at.rows, k},
            {transposed ? own + first : own + first * k, transposed ? n : k, columns, k}};
  }

  MOE_DEVICE void write(const Tile<true, !transposed>& tile, const RowTile& at, std::int64_t first, int thread,
                        const TileThread& own) const {
    tile.write(thread, own, [&](int row, int column, float value, float) {
      const std::int64_t to = (at.first + row) * n + first + column;
      if (bias != nullptr) value += bias[static_cast<std::int64_t>(at.expert) * n + first + column];
      if (relu && !(value > 0)) value = 0;
      if (hidden != nullptr && !(hidden[to] > 0)) value = 0;
      out[to] = value;
    });
  }
};

/// grad_w[e] = sum over its rows of grad[m]^T x[m], and grad_bias[e] = sum over its rows of grad[m]; 0 without rows.
struct GroupedWeightGradients {
  const float* grad;           ///< [M, N]
  const float* x;              ///< [M, K]
  const std::int32_t* offset;  ///< [E + 1]
  int experts, n, k;
  float *w, *bias;  ///< [E, N, K], [E, N]

  std::int64_t blocks() const { return experts * divided_up(n, tile_side) * divided_up(k, tile_side); }

  struct At {
    std::int64_t expert, first_row, first_column;  ///< of the tile in grad_w[e]
  };
  MOE_DEVICE At at(std::int64_t block) const {
    const std::int64_t across = divided_up(k, tile_side), down = divided_up(n, tile_side);
    return {block / (across * down), block / across % down * tile_side, block % across * tile_side};
  }

  MOE_DEVICE Tile<false, false> tile(const At& at) const {
    const std::int64_t first = offset[at.expert], rows = offset[at.expert + 1] - first;
    const auto side = [](std::int64_t left) { return left < tile_side ? left : tile_side; };
    return {{grad + first * n + at.first_row, n, side(n - at.first_row), rows},
            {x + first * k + at.first_column, k, side(k - at.first_column), rows}};
  }

  MOE_DEVICE void write(const Tile<false, false>& tile, const At& at, int thread, const TileThread& own) const {
    tile.write(thread, own, [&](int row, int column, float value, float sum) {
      const std::int64_t of_row = at.expert * n + at.first_row + row;
      w[of_row * k + at.first_column + column] = value;
      if (at.first_column + column == 0) bias[of_row] = sum;
    });
  }
};

template <bool transposed>
void run(const GroupedRows<transposed>& body, Stream stream);
void run(const GroupedWeightGradients& body, Stream stream);

}  // namespace moe::cuda
