#include "kernels/adamw.h"

#include "kernels/cuda/row_ops.h"
#include "kernels/cuda/tensors.h"
#include "kernels/simd/vector_math.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moe {
namespace {

using torch::Tensor;

constexpr std::int64_t block = 4096;         ///< elements that are worked on at once
constexpr std::int64_t blocks_at_once = 16;  ///< what is worth a thread

/// As the arithmetic of one part needs them.
struct PartFactors {
  float decay, first_rate, beta2, second_rate, step_size, correction, epsilon, gradient_scale;

  PartFactors(const AdamwFactors& factors, double step)
      : decay(static_cast<float>(1 - factors.learning_rate * factors.weight_decay)),
        first_rate(static_cast<float>(1 - factors.beta1)),
        beta2(static_cast<float>(factors.beta2)),
        second_rate(static_cast<float>(1 - factors.beta2)),
        step_size(static_cast<float>(factors.learning_rate / (1 - std::pow(factors.beta1, step)))),
        correction(static_cast<float>(std::sqrt(1 - std::pow(factors.beta2, step)))),
        epsilon(static_cast<float>(factors.epsilon)),
        gradient_scale(static_cast<float>(factors.gradient_scale)) {}
};

MOE_VECTOR_CLONES void step_block(const PartFactors& factors, const float* gradient, std::int64_t count,
                                  float* parameter, float* first, float* second) {
  const PartFactors f = factors;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float grad = gradient[i] * f.gradient_scale;
    first[i] += (grad - first[i]) * f.first_rate;
    second[i] = second[i] * f.beta2 + grad * grad * f.second_rate;
    parameter[i] = parameter[i] * f.decay - f.step_size * first[i] / (std::sqrt(second[i]) / f.correction + f.epsilon);
  }
}

MOE_VECTOR_CLONES double squared_norm(const float* values, std::int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

bool in_reach(const std::vector<AdamwPart>& parts) {
  return std::all_of(parts.begin(), parts.end(), [](const AdamwPart& part) {
    return part.parameter.is_cpu() && part.parameter.scalar_type() == torch::kFloat32;
  });
}

/// Elements of a part.
struct Block {
  const AdamwPart* part;
  std::int64_t first, count;
};

std::vector<Block> blocks_of(const std::vector<AdamwPart>& parts) {
  std::vector<Block> blocks;
  for (const AdamwPart& part : parts) {
    for (std::int64_t first = 0; first < part.count; first += block) {
      blocks.push_back({&part, part.first + first, std::min(block, part.count - first)});
    }
  }
  return blocks;
}

/// Calls work(number of the block, block) for all, shared out between the threads.
template <class Work>
void for_each_block(const std::vector<Block>& blocks, Work work) {
  at::parallel_for(0, std::ssize(blocks), blocks_at_once, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) work(i, blocks[i]);
  });
}

/// One of the four tensors of each part, as LibTorch's kernels take them.
std::vector<Tensor> slices(const std::vector<AdamwPart>& parts, Tensor AdamwPart::* tensor) {
  std::vector<Tensor> list;
  for (const AdamwPart& part : parts) list.push_back((part.*tensor).view(-1).narrow(0, part.first, part.count));
  return list;
}

bool in_reach_of_gpu(const std::vector<AdamwPart>& parts) {
  return std::all_of(parts.begin(), parts.end(), [](const AdamwPart& part) {
    return cuda::takes(part.parameter) && part.parameter.scalar_type() == torch::kFloat32;
  });
}

/// Parts with elements, as the kernels on a GPU take them.
std::vector<cuda::AdamwRow> gpu_rows(const std::vector<AdamwPart>& parts, const AdamwFactors& factors) {
  std::vector<cuda::AdamwRow> rows;
  for (const AdamwPart& part : parts) {
    if (part.count == 0) continue;
    const PartFactors own(factors, *part.steps);
    rows.push_back({.parameter = part.parameter.data_ptr<float>() + part.first,
                    .gradient = part.gradient.const_data_ptr<float>() + part.first,
                    .first_moment = part.first_moment.data_ptr<float>() + part.first,
                    .second_moment = part.second_moment.data_ptr<float>() + part.first,
                    .count = part.count,
                    .first_block = 0,
                    .factors = {own.step_size, own.correction}});
  }
  return rows;
}

void step_on_gpu(const std::vector<AdamwPart>& parts, const AdamwFactors& factors) {
  if constexpr (cuda::is_built) {
    const PartFactors own(factors, 1);
    cuda::adamw_step(gpu_rows(parts, factors),
                     {own.decay, own.first_rate, own.beta2, own.second_rate, own.epsilon, own.gradient_scale},
                     parts.front().parameter);
  }
}

void step_by_library(const std::vector<AdamwPart>& parts, const AdamwFactors& factors) {
  std::vector<float> step;
  for (const AdamwPart& part : parts) step.push_back(*part.steps);
  const auto options = parts.front().parameter.options().dtype(torch::kFloat32).requires_grad(false);
  const Tensor inverse_scale = torch::full({}, 1 / factors.gradient_scale, options);
  at::_fused_adamw_(slices(parts, &AdamwPart::parameter), slices(parts, &AdamwPart::gradient),
                    slices(parts, &AdamwPart::first_moment), slices(parts, &AdamwPart::second_moment), {},
                    torch::tensor(step).to(options.device()).unbind(), factors.learning_rate, factors.beta1,
                    factors.beta2, factors.weight_decay, factors.epsilon, /*amsgrad=*/false, /*maximize=*/false,
                    inverse_scale, {});
}

}  // namespace

std::vector<double> gradient_squares(const std::vector<AdamwPart>& parts) {
  if (parts.empty()) return {};
  // In float64, so that a part without a gradient does not move the last digit of the others' scale.
  if (!in_reach(parts)) {
    const std::vector<Tensor> norms = at::_foreach_norm(slices(parts, &AdamwPart::gradient));
    const Tensor squares = torch::stack(norms).to(torch::kCPU, torch::kFloat64).square();
    return {squares.const_data_ptr<double>(), squares.const_data_ptr<double>() + squares.numel()};
  }
  const std::vector<Block> blocks = blocks_of(parts);
  std::vector<double> squares(blocks.size());
  for_each_block(blocks, [&](std::size_t i, const Block& piece) {
    squares[i] = squared_norm(piece.part->gradient.const_data_ptr<float>() + piece.first, piece.count);
  });
  return squares;
}

double gradient_norm(const std::vector<AdamwPart>& parts) {
  if constexpr (cuda::is_built) {
    if (in_reach_of_gpu(parts)) {
      return cuda::gradient_norm(gpu_rows(parts, {}), parts.front().gradient).item<double>();
    }
  }
  const std::vector<double> squares = gradient_squares(parts);
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

void adamw_step(const std::vector<AdamwPart>& parts, const AdamwFactors& factors) {
  const torch::NoGradGuard no_grad;
  if (parts.empty()) return;
  for (const AdamwPart& part : parts) ++*part.steps;
  if (in_reach_of_gpu(parts)) return step_on_gpu(parts, factors);
  if (!in_reach(parts)) return step_by_library(parts, factors);
  for_each_block(blocks_of(parts), [&](std::size_t, const Block& piece) {
    const AdamwPart& part = *piece.part;
    step_block({factors, *part.steps}, part.gradient.const_data_ptr<float>() + piece.first, piece.count,
               part.parameter.data_ptr<float>() + piece.first, part.first_moment.data_ptr<float>() + piece.first,
               part.second_moment.data_ptr<float>() + piece.first);
  });
}

}  // namespace moe
