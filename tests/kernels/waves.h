#pragma once
// Values that are the same in every run and differ from element to element, for tests of kernels.

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// sin(frequency * index) over all elements in their order.
inline torch::Tensor wavy(const std::vector<std::int64_t>& shape, double frequency, torch::Dtype dtype) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return torch::sin(torch::arange(count, torch::kFloat64) * frequency).view(shape).to(dtype);
}

/// Target ids [rows] that spread over the vocabulary.
inline torch::Tensor spread_targets(std::int64_t rows, std::int64_t vocabulary) {
  return (torch::arange(rows, torch::kInt64) * 7).remainder(vocabulary);
}

}  // namespace moe
