#pragma once
// Parameters and floating-point operations of a model, counted from its shapes.

#include "model/transformer.h"

#include <cstdint>
#include <functional>

namespace moe {

struct ParameterCount {
  std::int64_t total = 0;
  std::int64_t active = 0;  ///< those that one token passes through
};
ParameterCount count_parameters(const Transformer& model);

/// What tells the size of an MoE layer.
struct MoeLayerSize {
  ExpertLayout layout;
  std::int64_t router_parameters = 0;
  bool normed = true;  ///< the block has a norm for the layer
};
MoeLayerSize size_of(const Router& router);

/// Called once for each MoE layer with what its router would be made from.
using MoeLayerSizer = std::function<MoeLayerSize(const RouterContext&)>;

/// The count of a model that is not built: what count_parameters of Transformer(settings, token_counts, directions,
/// seed, ...) would be.
ParameterCount count_parameters(const ModelSettings& settings, const TokenCounts& token_counts, std::int64_t directions,
                                std::uint64_t seed, const MoeLayerSizer& size_of_layer);

/// Multiplications and additions of one forward pass over a batch without padding, all but the experts of its MoE
/// layers: products with weights (gates and the output projection too) and attention at the batch's mean lengths. A
/// training step costs three times as much a pass (the backward pass twice the forward one).
double body_flops(const Transformer& model, std::int64_t sentences, std::int64_t source_tokens,
                  std::int64_t target_tokens);

/// Those of one (token, expert) pair of an MoE layer.
double pair_flops(const Transformer& model, std::size_t layer);

}  // namespace moe
