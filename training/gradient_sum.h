#pragma once
// The sum of the gradients of an update's micro-batches, whichever ranks they were computed on.

#include "parallel/gradient_reduce.h"

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace moe {

/// Adds gradients as a fixed binary tree (parallel/tree_sum.h) over the micro-batches of the update: ranks that share
/// them have the bits of one process.
class GradientSum {
 public:
  /// `first`: the number of the first micro-batch that is taken here; the following ones come one after the other.
  explicit GradientSum(std::vector<torch::Tensor> parameters, std::int64_t first = 0)
      : parameters_(std::move(parameters)), next_(first) {}

  /// Takes the parameters' gradients of one micro-batch and clears them.
  void take();
  /// Puts the sum over all ranks into the parameters' gradients and forgets it. `ranges`: where there may be gradients
  /// other than 0; read only where there are several ranks.
  void finish(Communicator& ranks = one_rank(), const std::vector<GradientRange>& ranges = {});

 private:
  std::vector<torch::Tensor> parameters_;
  std::int64_t next_;
  TreeSum<Gradients> sum_;
};

}  // namespace moe
