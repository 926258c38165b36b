#pragma once
// Parameters and floating-point operations of a model, counted from its shapes.

#include "model/transformer.h"

#include <cstdint>

namespace moe {

struct ParameterCount {
  std::int64_t total = 0;
  std::int64_t active = 0;  ///< those that one token passes through
};
ParameterCount count_parameters(const Transformer& model);

/// Multiplications and additions of one forward pass over a batch without padding, all but the experts of its MoE
/// layers: products with weights (gates and the output projection too) and attention over the actual lengths. A
/// training step costs three times as much a pass (the backward pass twice the forward one).
double body_flops(const Transformer& model, std::int64_t sentences, std::int64_t source_tokens,
                  std::int64_t target_tokens);

/// Those of one (token, expert) pair of an MoE layer.
double pair_flops(const Transformer& model, std::size_t layer);

}  // namespace moe
