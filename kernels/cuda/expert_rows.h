#pragma once
// What happens to the rows of an MoE layer beside the products (kernels/experts/expert_rows.h), on a GPU. Rows are
// gathered, never scattered with atomic sums: each output element is added up by one thread in the order of
// assignments.

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/team.h"

// Legend: T rows, M assignments, D width, E experts.

namespace moe::cuda {

/// Counting assignments by row, the first half of a counting sort. count: [T + 1], zeroed.
struct CountAssignments {
  const std::int64_t* token;  ///< [M]
  std::int32_t* count;

  MOE_DEVICE void operator()(std::int64_t m) const { fetch_add(count + token[m], 1); }
};

/// assignment[first[t] .. first[t + 1]) = the assignments of row t, in any order. next: [T], a copy of `first`.
struct PlaceAssignments {
  const std::int64_t* token;
  std::int32_t *next, *assignment;

  MOE_DEVICE void operator()(std::int64_t m) const {
    assignment[fetch_add(next + token[m], 1)] = static_cast<std::int32_t>(m);
  }
};

/// Puts the few assignments of each row into their order, which makes the sort stable.
struct OrderAssignments {
  const std::int32_t* first;  ///< [T + 1]
  std::int32_t* assignment;

  MOE_DEVICE void operator()(std::int64_t t) const {
    for (std::int32_t i = first[t] + 1; i < first[t + 1]; ++i) {
      const std::int32_t moved = assignment[i];
      std::int32_t place = i;
      for (; place > first[t] && assignment[place - 1] > moved; --place) assignment[place] = assignment[place - 1];
      assignment[place] = moved;
    }
  }
};

/// out[t] = sum over the assignments m of row t, in their order, of weight[m] * y[m].
template <class Stored>
struct CombineRows {
  const Stored* y;
  const Stored* weight;  ///< null: 1
  const std::int32_t *first, *assignment;
  int columns;
  Stored* out;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t t) const {
    const std::int32_t begin = first[t], end = first[t + 1];
    team.each(columns, [&](std::int64_t i) {
      float sum = 0;
      for (std::int32_t k = begin; k < end; ++k) {
        const std::int64_t m = assignment[k];
        sum += (weight == nullptr ? 1.0F : to_float(weight[m])) * to_float(y[m * columns + i]);
      }
      out[t * columns + i] = from_float<Stored>(sum);
    });
  }
};

/// grad_y[m] = weight[m] * grad[token[m]], and grad_weight[m] = grad[token[m]] . y[m] where y is given.
template <class Stored>
struct SpreadRows {
  const Stored* grad;
  const std::int64_t* token;
  const Stored* weight;  ///< null: 1
  const Stored* y;       ///< null: no gradient of the weights
  int columns;
  Stored* grad_y;
  float* grad_weight;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t m) const {
    const Stored* from = grad + token[m] * columns;
    const float factor = weight == nullptr ? 1.0F : to_float(weight[m]);
    team.each(columns,
              [&](std::int64_t i) { grad_y[m * columns + i] = from_float<Stored>(factor * to_float(from[i])); });
    if (y == nullptr) return;
    using One = Sums<float, 1>;
    const One sum = team.template sum<One>(
        columns, [&](std::int64_t i) { return One{{to_float(from[i]) * to_float(y[m * columns + i])}}; });
    team.once([&] { grad_weight[m] = sum.of[0]; });
  }
};

/// The expert of a row: the last one whose rows begin at it or before, and that has rows.
MOE_HOST_DEVICE inline int expert_of_row(const std::int32_t* offset, int experts, std::int64_t row) {
  int low = 0, high = experts;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (offset[middle] <= row ? low : high) = middle;
  }
  return low;
}

/// y[m] += bias[e] of its expert e, then relu if asked: what a library's grouped product leaves to do.
template <class Stored>
struct AddExpertBias {
  const Stored* bias;          ///< [E, D]
  const std::int32_t* offset;  ///< [E + 1]
  int experts, columns;
  bool relu;
  Stored* y;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t m) const {
    const Stored* own = bias + static_cast<std::int64_t>(expert_of_row(offset, experts, m)) * columns;
    team.each(columns, [&](std::int64_t i) {
      const float sum = to_float(y[m * columns + i]) + to_float(own[i]);
      y[m * columns + i] = from_float<Stored>(relu && !(sum > 0) ? 0.0F : sum);
    });
  }
};

inline constexpr std::int64_t bias_parts = 16;

/// Gradients of biases in parts: part p of expert e adds its rows p, p + bias_parts, ... Element i of parts x E x D.
template <class Stored>
struct BiasParts {
  const Stored* grad;          ///< [M, D]
  const std::int32_t* offset;  ///< [E + 1]
  int experts, columns;
  float* partial;  ///< [bias_parts, E, D]

  MOE_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t column = i % columns, e = i / columns % experts, part = i / columns / experts;
    float sum = 0;
    for (std::int64_t m = offset[e] + part; m < offset[e + 1]; m += bias_parts)
      sum += to_float(grad[m * columns + column]);
    partial[i] = sum;
  }
};

void run(const CountAssignments& body, std::int64_t assignments, Stream stream);
void run(const PlaceAssignments& body, std::int64_t assignments, Stream stream);
void run(const OrderAssignments& body, std::int64_t rows, Stream stream);
/// Stored: float or Bf16.
template <class Stored>
void run(const CombineRows<Stored>& body, std::int64_t rows, Stream stream);
template <class Stored>
void run(const SpreadRows<Stored>& body, std::int64_t assignments, Stream stream);
template <class Stored>
void run(const AddExpertBias<Stored>& body, std::int64_t assignments, Stream stream);
template <class Stored>
void run(const BiasParts<Stored>& body, Stream stream);

}  // namespace moe::cuda
