#include "model/expert_shards.h"

#include "core/error.h"

#include <torch/types.h>

#include <algorithm>

namespace moe {

std::optional<std::size_t> moe_layer_of_expert_parameter(const Transformer& model, const torch::Tensor& parameter) {
  for (std::size_t layer = 0; layer < model.moe_layers().size(); ++layer) {
    const auto experts = model.moe_layers()[layer]->expert_parameters();
    const bool is_expert =
        std::any_of(experts.begin(), experts.end(), [&](const auto& tensor) { return tensor.is_same(parameter); });
    if (is_expert) return layer;
  }
  return std::nullopt;
}

torch::Tensor own_part(const Transformer& model, const torch::Tensor& parameter, const torch::Tensor& whole) {
  const std::optional<std::size_t> layer = moe_layer_of_expert_parameter(model, parameter);
  if (model.exchange() == nullptr || !layer) return whole;
  const Share& owned = model.moe_layers()[*layer]->owned();
  MOE_CHECK(whole.dim() > 0 && whole.size(0) == model.moe_layers()[*layer]->layout().count,
            "The checkpoint has a parameter of experts with another shape than the model's.");
  return whole.narrow(0, owned.first, owned.count());
}

LazyTensor gathered(const Transformer& model, const torch::Tensor& parameter, const torch::Tensor& part) {
  const std::optional<std::size_t> layer = moe_layer_of_expert_parameter(model, parameter);
  if (model.exchange() == nullptr || !layer) return part;
  std::vector<std::int64_t> shape = part.sizes().vec();
  shape[0] = model.moe_layers()[*layer]->layout().count;
  return {shape, part.scalar_type(),
          [&ranks = model.exchange()->ranks(), part, count = shape[0]] { return gather_rows(ranks, part, count); }};
}

}  // namespace moe
