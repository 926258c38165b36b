#include "training/gradient_sum.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace moe {

void GradientSum::take() {
  Gradients gradients;
  for (torch::Tensor& parameter : parameters_) {
    gradients.push_back(parameter.grad());
    parameter.mutable_grad().reset();
  }
  sum_.push({next_++, 0}, std::move(gradients), add_gradients);
}

void GradientSum::finish(Communicator& ranks, const std::vector<GradientRange>& ranges) {
  Gradients gradients;
  if (ranks.size() > 1) {
    gradients = reduce_gradients(ranks, std::move(sum_.partials()), parameters_, ranges);
    sum_.partials().clear();
  } else if (!sum_.partials().empty()) {
    gradients = sum_.finish(add_gradients);
  } else {
    return;
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = gradients[i];
}

}  // namespace moe
