#pragma once
// Where our CUDA kernels meet tensors: whether they take one, and on which stream. A build without CUDA has none of
// what is declared in the files *_ops.h, so whoever calls them asks `is_built` by `if constexpr`.

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/launch.h"

#include <torch/types.h>

#include <cstddef>
#include <type_traits>

namespace moe::cuda {

#ifdef MOE_BENCH_CUDA
inline constexpr bool is_built = true;
#else
inline constexpr bool is_built = false;
#endif

/// True when the environment has MOE_BENCH_CUDA_KERNELS=1; else LibTorch's operations run, which have seen a GPU.
bool kernels_are_wanted();

/// Whether our kernels run on a device.
inline bool runs_on(torch::Device device) {
  if constexpr (is_built) return device.is_cuda() && kernels_are_wanted();
  return false;
}

/// Whether our kernels take tensors like this one: float32 or bfloat16 on a GPU.
inline bool takes(const torch::Tensor& tensor) {
  const torch::Dtype type = tensor.scalar_type();
  return runs_on(tensor.device()) && (type == torch::kFloat32 || type == torch::kBFloat16);
}

/// The current stream of the tensor's GPU.
Stream stream_of(const torch::Tensor& tensor);

/// Compute capability of a GPU, 10 times the major number and the minor one: 90 is sm_90.
int compute_capability(torch::Device device);

/// The type in which kernels see elements: bfloat16 as Bf16, others as they are.
template <class Scalar>
using Stored = std::conditional_t<std::is_same_v<Scalar, c10::BFloat16>, Bf16, Scalar>;

/// Elements as kernels see them; null for an undefined tensor.
template <class Scalar>
const Stored<Scalar>* read_of(const torch::Tensor& tensor) {
  return tensor.defined() ? reinterpret_cast<const Stored<Scalar>*>(tensor.const_data_ptr<Scalar>()) : nullptr;
}
template <class Scalar>
Stored<Scalar>* written_of(torch::Tensor& tensor) {
  return reinterpret_cast<Stored<Scalar>*>(tensor.mutable_data_ptr<Scalar>());
}

/// A copy of host memory on the device, made in the order of its stream; the host does not wait.
torch::Tensor uploaded(const void* data, std::size_t bytes, torch::Device device);

}  // namespace moe::cuda
