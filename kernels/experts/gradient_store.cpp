#include "kernels/experts/gradient_store.h"

#include <torch/types.h>

namespace moe {

torch::Tensor GradientStore::take(const torch::Tensor& weight, const std::vector<std::int64_t>& expert_offsets) {
  const std::size_t experts = expert_offsets.size() - 1;
  torch::Tensor gradient;
  if (memory_ && memory_.use_count() == 1 && memory_.device() == weight.device() &&
      memory_.nbytes() == weight.nbytes() && is_written_.size() == experts) {
    gradient = torch::empty({0}, weight.options()).set_(memory_, 0, weight.sizes());
  } else {
    gradient = torch::empty(weight.sizes(), weight.options());
    memory_ = gradient.storage();
    is_written_.assign(experts, true);
  }
  for (std::size_t e = 0; e < experts; ++e) {
    const bool is_used = expert_offsets[e + 1] > expert_offsets[e];
    if (!is_used && is_written_[e]) gradient.select(0, static_cast<std::int64_t>(e)).zero_();
    is_written_[e] = is_used;
  }
  return gradient;
}

}  // namespace moe
