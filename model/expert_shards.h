#pragma once
// Stacked parameters of experts that are spread over ranks: from this rank's part to the whole and back.

#include "model/safetensors.h"
#include "model/transformer.h"

#include <torch/types.h>

#include <cstdint>
#include <optional>

namespace moe {

/// The MoE layer whose experts are stacked in this parameter [E, ...]; none: it is no such parameter.
std::optional<std::size_t> moe_layer_of_expert_parameter(const Transformer& model, const torch::Tensor& parameter);

/// What this rank holds of a tensor that goes with the parameter, [E, ...] over all experts: the owned experts' part,
/// and the tensor itself for any other parameter.
torch::Tensor own_part(const Transformer& model, const torch::Tensor& parameter, const torch::Tensor& whole);

/// The other way: what makes the tensor of all experts from the ranks' parts, on the first rank; on the others it makes
/// an undefined tensor. Called by all ranks alike. For any other parameter the tensor itself.
LazyTensor gathered(const Transformer& model, const torch::Tensor& parameter, const torch::Tensor& part);

}  // namespace moe
