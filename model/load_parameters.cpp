#include "model/load_parameters.h"

#include "core/error.h"
#include "model/expert_shards.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace moe {

void load_parameters(Transformer& model, const TensorFile& file) {
  const torch::NoGradGuard no_grad;
  const auto copy = [&](const std::string& name, torch::Tensor& tensor) {
    const auto found = file.tensors.find("model." + name);
    MOE_CHECK(found != file.tensors.end(), "The checkpoint has no tensor \"model.{}\".", name);
    const torch::Tensor part = own_part(model, tensor, found->second);
    MOE_CHECK(part.sizes() == tensor.sizes(), "The checkpoint's \"model.{}\" has another shape than the model's.",
              name);
    tensor.copy_(part);
  };
  for (auto& item : model.named_parameters()) copy(item.key(), item.value());
  for (auto& item : model.named_buffers()) copy(item.key(), item.value());
}

}  // namespace moe
