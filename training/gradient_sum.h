#pragma once
// The sum of the gradients of an update's micro-batches, as a fixed binary tree.

#include <torch/types.h>

#include <vector>

namespace moe {

/// Adds gradients pairwise, like carries of a binary counter: ((g0 + g1) + (g2 + g3)) + g4. The shape of the sum
/// depends on the number of micro-batches alone, so ranks that share them can give the same bits as one process.
class GradientSum {
 public:
  explicit GradientSum(std::vector<torch::Tensor> parameters) : parameters_(std::move(parameters)) {}

  /// Takes the parameters' gradients of one micro-batch and clears them.
  void take();
  /// Puts the sum into the parameters' gradients and forgets it.
  void finish();

 private:
  struct Partial {
    int level = 0;                         ///< holds 2^level micro-batches
    std::vector<torch::Tensor> gradients;  ///< undefined where no micro-batch had one
  };
  void merge_last_two();

  std::vector<torch::Tensor> parameters_;
  std::vector<Partial> partials_;
};

}  // namespace moe
