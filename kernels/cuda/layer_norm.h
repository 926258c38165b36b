#pragma once
// Layer norm and its backward (kernels/layer_norm.h) on a GPU: a warp a row.

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/team.h"

#include <cmath>

// Legend: N rows, D width, K blocks of rows.

namespace moe::cuda {

inline constexpr std::int64_t norm_block_rows = 64;  ///< whose gradients of weight and bias are added up first

struct NormMoments {
  float mean, inverse_deviation;
};

/// out = (x - mean) / sqrt(variance + epsilon) * weight + bias, by rows; out in float or Bf16.
template <class Stored>
struct Normalise {
  const float *x, *weight, *bias;
  int width;
  float epsilon;
  Stored* out;
  NormMoments* moments;  ///< [N]

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t row) const {
    const float* from = x + row * width;
    Stored* to = out + row * width;
    using One = Sums<float, 1>;
    const auto count = static_cast<float>(width);
    const float mean = team.template sum<One>(width, [&](std::int64_t i) { return One{{from[i]}}; }).of[0] / count;
    const float squares =
        team.template sum<One>(width, [&](std::int64_t i) { return One{{(from[i] - mean) * (from[i] - mean)}}; }).of[0];
    const float inverse = 1.0F / std::sqrt(squares / count + epsilon);
    team.each(width,
              [&](std::int64_t i) { to[i] = from_float<Stored>((from[i] - mean) * inverse * weight[i] + bias[i]); });
    team.once([&] { moments[row] = {mean, inverse}; });
  }
};

/// Gradient of x, onto that of the residual stream where there is one.
template <class Stored>
struct NormaliseBackward {
  const float* x;
  const NormMoments* moments;
  const float* weight;
  const Stored* grad;     ///< of the normed rows
  const float* residual;  ///< null: none
  int width;
  float* grad_x;

  template <class Team>
  MOE_DEVICE void operator()(const Team& team, std::int64_t row) const {
    const float* from = x + row * width;
    const Stored* above = grad + row * width;
    const auto [mean, inverse] = moments[row];
    const auto normal = [&](std::int64_t i) { return (from[i] - mean) * inverse; };
    const auto weighted = [&](std::int64_t i) { return to_float(above[i]) * weight[i]; };
    using Two = Sums<float, 2>;
    const Two sum =
        team.template sum<Two>(width, [&](std::int64_t i) { return Two{{weighted(i), weighted(i) * normal(i)}}; });
    const float mean_sum = sum.of[0] / static_cast<float>(width), mean_along = sum.of[1] / static_cast<float>(width);
    team.each(width, [&](std::int64_t i) {
      const float own = inverse * (weighted(i) - mean_sum - normal(i) * mean_along);
      grad_x[row * width + i] = residual == nullptr ? own : residual[row * width + i] + own;
    });
  }
};

/// Gradients of weight and bias of a block of rows, added in their order: partial[k] = {weight [D], bias [D]}. Element
/// i of K D is column i % D of block i / D.
template <class Stored>
struct NormWeightGradients {
  const float* x;
  const NormMoments* moments;
  const Stored* grad;
  std::int64_t rows;
  int width;
  float* partial;  ///< [K, 2, D]

  MOE_DEVICE void operator()(std::int64_t i) const {
    const std::int64_t block = i / width, column = i % width;
    const std::int64_t last = (block + 1) * norm_block_rows < rows ? (block + 1) * norm_block_rows : rows;
    float of_weight = 0, of_bias = 0;
    for (std::int64_t n = block * norm_block_rows; n < last; ++n) {
      const float above = to_float(grad[n * width + column]);
      of_weight += above * ((x[n * width + column] - moments[n].mean) * moments[n].inverse_deviation);
      of_bias += above;
    }
    partial[block * 2 * width + column] = of_weight;
    partial[(block * 2 + 1) * width + column] = of_bias;
  }
};

/// Stored: float or Bf16. `rows`: N.
template <class Stored>
void run(const Normalise<Stored>& body, std::int64_t rows, Stream stream);
template <class Stored>
void run(const NormaliseBackward<Stored>& body, std::int64_t rows, Stream stream);
template <class Stored>
void run(const NormWeightGradients<Stored>& body, Stream stream);

}  // namespace moe::cuda
