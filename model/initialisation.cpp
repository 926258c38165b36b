#include "model/initialisation.h"

#include "core/random.h"

#include <torch/types.h>

#include <cmath>

namespace moe {
namespace {

RandomStream parameter_stream(std::uint64_t seed, const std::string& name) {
  return RandomStream(seed).at(StreamTag::initialisation).at(name);
}

void fill_uniform(float* values, std::int64_t count, double bound, const RandomStream& stream) {
  for (std::int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(bound * (2.0 * stream.at(i).uniform() - 1.0));
  }
}

}  // namespace

torch::Tensor uniform_parameter(const std::vector<std::int64_t>& shape, double bound, std::uint64_t seed,
                                const std::string& name) {
  torch::Tensor parameter = torch::empty(shape);
  fill_uniform(parameter.data_ptr<float>(), parameter.numel(), bound, parameter_stream(seed, name));
  return parameter;
}

torch::Tensor normal_parameter(const std::vector<std::int64_t>& shape, double deviation, std::uint64_t seed,
                               const std::string& name) {
  torch::Tensor parameter = torch::empty(shape);
  const RandomStream stream = parameter_stream(seed, name);
  float* values = parameter.data_ptr<float>();
  for (std::int64_t i = 0; i < parameter.numel(); ++i)
    values[i] = static_cast<float>(deviation * stream.at(i).normal());
  return parameter;
}

torch::Tensor expert_parameter(std::int64_t experts, std::int64_t out, std::int64_t in, bool copy, std::uint64_t seed,
                               const std::string& name, std::int64_t first) {
  torch::Tensor parameter = torch::empty({experts, out, in});
  const RandomStream stream = parameter_stream(seed, name);
  for (std::int64_t e = 0; e < experts; ++e) {
    fill_uniform(parameter.data_ptr<float>() + e * out * in, out * in, xavier_bound(out, in),
                 stream.at(copy ? 0 : first + e));
  }
  return parameter;
}

double xavier_bound(std::int64_t out, std::int64_t in) {
  return std::sqrt(6.0 / static_cast<double>(out + in));
}

}  // namespace moe
