#include "harness/commands/interop/interop_input.h"

#include "core/error.h"
#include "core/text.h"

#include <torch/types.h>

#include <algorithm>
#include <sstream>

namespace moe {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(size < 0 ? "?" : std::to_string(size));
  return "[" + join(sizes, ", ") + "]";
}

std::string dtype_text(torch::Dtype dtype) {
  std::ostringstream text;
  text << dtype;
  return text.str();
}

}  // namespace

std::string interop_name(const std::string& parameter) {
  constexpr std::string_view router = "router.", router_norm = "router.norm.";  // norms belong to the layer
  return parameter.starts_with(router_norm) ? parameter.substr(router.size()) : parameter;
}

torch::Tensor InteropInput::get(const std::string& name, torch::Dtype dtype,
                                const std::vector<std::int64_t>& shape) const {
  const auto found = tensors_.find(name);
  MOE_CHECK(found != tensors_.end(), "{}: the tensor \"{}\" is missing; expected {} {}.", file_.string(), name,
            dtype_text(dtype), shape_text(shape));
  const torch::Tensor& tensor = found->second;
  const auto sizes = tensor.sizes().vec();
  const bool fits =
      std::equal(sizes.begin(), sizes.end(), shape.begin(), shape.end(),
                 [](std::int64_t size, std::int64_t expected) { return expected < 0 || size == expected; });
  MOE_CHECK(fits && tensor.scalar_type() == dtype, "{}: the tensor \"{}\" is {} {}; expected {} {}.", file_.string(),
            name, dtype_text(tensor.scalar_type()), shape_text(sizes), dtype_text(dtype), shape_text(shape));
  return tensor;
}

}  // namespace moe
