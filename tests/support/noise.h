#pragma once
// Random tensors for tests: each a pure function of its shape and of a key, so that a test sees the same numbers alone
// and in company. Tensors of one test that should differ have different keys or shapes.

#include "core/random.h"

#include <torch/types.h>

#include <cstdint>

namespace moe {

/// The stream of each element is that of (shape, key) at its index.
inline RandomStream noise_stream(torch::IntArrayRef shape, int key) {
  RandomStream stream = RandomStream(5).at(key);
  for (const std::int64_t size : shape) stream = stream.at(size);
  return stream;
}

/// N(0, 1), drawn in float64 and rounded to `dtype`.
inline torch::Tensor noise(torch::IntArrayRef shape, int key, torch::Dtype dtype = torch::kFloat32) {
  const RandomStream stream = noise_stream(shape, key);
  torch::Tensor values = torch::empty(shape, torch::kFloat64);
  double* value = values.data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) value[i] = stream.at(i).normal();
  return values.to(dtype);
}

/// Uniform in [0, 1), drawn in float64 and rounded to `dtype`.
inline torch::Tensor uniform_noise(torch::IntArrayRef shape, int key, torch::Dtype dtype = torch::kFloat32) {
  const RandomStream stream = noise_stream(shape, key);
  torch::Tensor values = torch::empty(shape, torch::kFloat64);
  double* value = values.data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) value[i] = stream.at(i).uniform();
  return values.to(dtype);
}

/// int64, uniform in 0 .. count - 1.
inline torch::Tensor random_indices(torch::IntArrayRef shape, int key, std::int64_t count) {
  const RandomStream stream = noise_stream(shape, key);
  torch::Tensor indices = torch::empty(shape, torch::kInt64);
  std::int64_t* index = indices.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < indices.numel(); ++i) index[i] = stream.at(i).below(count);
  return indices;
}

}  // namespace moe
