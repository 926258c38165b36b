#include "training/gradient_sum.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace moe {

void GradientSum::take() {
  Partial partial;
  for (torch::Tensor& parameter : parameters_) {
    partial.gradients.push_back(parameter.grad());
    parameter.mutable_grad().reset();
  }
  partials_.push_back(std::move(partial));
  while (partials_.size() > 1 && partials_.back().level == partials_[partials_.size() - 2].level) merge_last_two();
}

void GradientSum::finish() {
  while (partials_.size() > 1) merge_last_two();
  if (partials_.empty()) return;
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = partials_.front().gradients[i];
  partials_.clear();
}

void GradientSum::merge_last_two() {
  const torch::NoGradGuard no_grad;
  const Partial later = std::move(partials_.back());
  partials_.pop_back();
  Partial& earlier = partials_.back();
  ++earlier.level;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!later.gradients[i].defined()) continue;
    if (earlier.gradients[i].defined()) {
      earlier.gradients[i].add_(later.gradients[i]);
    } else {
      earlier.gradients[i] = later.gradients[i];
    }
  }
}

}  // namespace moe
