#pragma once
// AdamW and the norm of gradients (kernels/adamw.h) on a GPU, over all parts of a model in one launch.

#include "kernels/cuda/team.h"

#include <cmath>
#include <cstdint>

namespace moe::cuda {

inline constexpr std::int64_t adamw_block = 4096;  ///< elements of a part that a block takes

/// What the arithmetic of one part needs beside its gradient, and what is the same for all.
struct AdamwPartFactors {
  float step_size, correction;
};
struct AdamwSharedFactors {
  float decay, first_rate, beta2, second_rate, epsilon, gradient_scale;
};

/// A part; its blocks begin at first_block.
struct AdamwRow {
  float* parameter;
  const float* gradient;
  float *first_moment, *second_moment;
  std::int64_t count, first_block;
  AdamwPartFactors factors;
};

/// The row that a block works on: the last one whose first_block is not beyond it. Rows have elements, so each has
/// blocks.
MOE_HOST_DEVICE inline int adamw_row_of(const AdamwRow* row, int rows, std::int64_t block) {
  int low = 0, high = rows;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (row[middle].first_block <= block ? low : high) = middle;
  }
  return low;
}

struct AdamwStep {
  const AdamwRow* row;  ///< in the memory of the device
  int rows;
  AdamwSharedFactors shared;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t block) const {
    const AdamwRow& part = row[adamw_row_of(row, rows, block)];
    const std::int64_t first = (block - part.first_block) * adamw_block;
    const std::int64_t count = part.count - first < adamw_block ? part.count - first : adamw_block;
    const auto [step_size, correction] = part.factors;
    team.each(count, [&](std::int64_t i) {
      const std::int64_t at = first + i;
      const float grad = part.gradient[at] * shared.gradient_scale;
      const float moment = part.first_moment[at] + (grad - part.first_moment[at]) * shared.first_rate;
      const float square = part.second_moment[at] * shared.beta2 + grad * grad * shared.second_rate;
      part.first_moment[at] = moment;
      part.second_moment[at] = square;
      part.parameter[at] =
          part.parameter[at] * shared.decay - step_size * moment / (std::sqrt(square) / correction + shared.epsilon);
    });
  }
};

/// The sum of squares of each block's gradients, in float64.
struct BlockSquares {
  const AdamwRow* row;
  int rows;
  double* square;  ///< one a block

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t block) const {
    using One = Sums<double, 1>;
    const AdamwRow& part = row[adamw_row_of(row, rows, block)];
    const std::int64_t first = (block - part.first_block) * adamw_block;
    const std::int64_t count = part.count - first < adamw_block ? part.count - first : adamw_block;
    const One sum = team.template sum<One>(count, [&](std::int64_t i) {
      const auto value = static_cast<double>(part.gradient[first + i]);
      return One{{value * value}};
    });
    team.once([&] { square[block] = sum.of[0]; });
  }
};

/// norm = sqrt(sum of the squares). One block of threads.
struct NormOfSquares {
  const double* square;
  std::int64_t count;
  double* norm;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t) const {
    using One = Sums<double, 1>;
    const One sum = team.template sum<One>(count, [&](std::int64_t i) { return One{{square[i]}}; });
    team.once([&] { *norm = std::sqrt(sum.of[0]); });
  }
};

/// `blocks`: of all rows together.
void run(const AdamwStep& body, std::int64_t blocks, Stream stream);
void run(const BlockSquares& body, std::int64_t blocks, Stream stream);
void run(const NormOfSquares& body, Stream stream);

}  // namespace moe::cuda
