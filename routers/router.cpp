#include "routers/router.h"

#include <torch/types.h>

namespace moe {

std::int64_t Router::weights_per_token() const {
  std::int64_t weights = 0;
  for (const torch::Tensor& parameter : parameters()) weights += parameter.numel();
  return weights;
}

}  // namespace moe
