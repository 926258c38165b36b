#include "routers/router.h"

#include "core/error.h"

#include <torch/types.h>

namespace moe {

std::int64_t ExpertLayout::hidden(std::int64_t ffn) const {
  MOE_CHECK(ffn * width_factor % width_divisor == 0, "A feed-forward net of width {} has no {} equal parts.", ffn,
            width_divisor);
  return ffn * width_factor / width_divisor;
}

std::int64_t Router::weights_per_token() const {
  std::int64_t weights = 0;
  for (const torch::Tensor& parameter : parameters()) weights += parameter.numel();
  return weights;
}

}  // namespace moe
