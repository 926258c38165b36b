#pragma once
// The sum of all ranks' gradients: the same bits as in one process.

#include "parallel/communicator.h"
#include "parallel/tree_sum.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// One tensor for each parameter; undefined where it has no gradient.
using Gradients = std::vector<torch::Tensor>;

/// Adds the later gradients to the earlier ones, in their memory.
void add_gradients(Gradients& earlier, Gradients&& later);

/// Elements [offset, offset + count) of one parameter, in its memory's order.
struct GradientRange {
  std::size_t parameter = 0;
  std::int64_t offset = 0;
  std::int64_t count = 0;
};

/// Adds the partial sums of all ranks, float32, along the tree that one process would have added; every rank has the
/// result. Only the ranges are sent and added: outside them all gradients are 0. Each rank adds up its part of the
/// elements, so that a rank sends and receives about twice what it holds, whatever the number of ranks.
Gradients reduce_gradients(Communicator& ranks, std::vector<TreeSum<Gradients>::Partial> partials,
                           const std::vector<torch::Tensor>& parameters, const std::vector<GradientRange>& ranges);

}  // namespace moe
