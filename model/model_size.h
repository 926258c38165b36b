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

/// Multiplications and additions of one forward pass over a batch without padding: products with weights (experts as
/// one token passes through them, gates, the output projection) and attention over the actual lengths. A training step
/// of p passes costs 3 p times as much (the backward pass twice the forward one).
double forward_flops(const Transformer& model, std::int64_t sentences, std::int64_t source_tokens,
                     std::int64_t target_tokens);

}  // namespace moe
