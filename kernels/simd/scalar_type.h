#pragma once
// From a tensor's type to a type of C++, for the kernels of training.

#include <torch/types.h>

#include <type_traits>

namespace moe {

/// Calls work(Scalar{}) with the type of the tensor, which is float32 or bfloat16.
template <class Work>
void with_type_of(const torch::Tensor& tensor, Work work) {
  if (tensor.scalar_type() == torch::kBFloat16) {
    work(c10::BFloat16());
  } else {
    work(float());
  }
}

/// The elements, or null for an undefined tensor. Scalar may be const.
template <class Scalar>
Scalar* data_or_null(const torch::Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  if constexpr (std::is_const_v<Scalar>) {
    return tensor.const_data_ptr<std::remove_const_t<Scalar>>();
  } else {
    return tensor.mutable_data_ptr<Scalar>();
  }
}

}  // namespace moe
