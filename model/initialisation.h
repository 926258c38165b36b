#pragma once
// Initial values of parameters, drawn by counter from the run seed and the parameter's name: a parameter of one name
// and shape starts the same in every strategy, whatever else the model holds.

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// Uniform in [-bound, bound), float32.
torch::Tensor uniform_parameter(const std::vector<std::int64_t>& shape, double bound, std::uint64_t seed,
                                const std::string& name);

/// Normal with mean 0, float32.
torch::Tensor normal_parameter(const std::vector<std::int64_t>& shape, double deviation, std::uint64_t seed,
                               const std::string& name);

/// Weights of the linear maps [E, out, in] of E experts from `first` on, each Xavier uniform (Glorot and Bengio 2010)
/// with the fan of one map. Expert e is its own draw, so expert 0 is the same for any E; with `copy`, all are expert 0.
torch::Tensor expert_parameter(std::int64_t experts, std::int64_t out, std::int64_t in, bool copy, std::uint64_t seed,
                               const std::string& name, std::int64_t first = 0);

/// Xavier bound of a linear map.
double xavier_bound(std::int64_t out, std::int64_t in);

}  // namespace moe
