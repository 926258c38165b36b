#include "kernels/cuda/tensors.h"

#include "core/error.h"

#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>
#include <torch/types.h>

#include <cuda_runtime_api.h>

#include <cstdlib>
#include <string_view>

namespace moe::cuda {

bool kernels_are_wanted() {
  static const bool wanted = [] {
    const char* const value = std::getenv("MOE_BENCH_CUDA_KERNELS");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return wanted;
}

Stream stream_of(const torch::Tensor& tensor) {
  return c10::cuda::getCurrentCUDAStream(tensor.device().index()).stream();
}

int compute_capability(torch::Device device) {
  int major = 0, minor = 0;
  const int index = device.has_index() ? device.index() : 0;
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) != cudaSuccess ||
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index) != cudaSuccess) {
    throw Error(fmt::format("GPU {} does not say what it can compute.", index), ExitStatus::machine_failed);
  }
  return 10 * major + minor;
}

torch::Tensor uploaded(const void* data, std::size_t bytes, torch::Device device) {
  // From memory that is not pinned the copy is staged before the call returns, so `data` may go then.
  const torch::Tensor host = torch::from_blob(const_cast<void*>(data), {static_cast<std::int64_t>(bytes)},  // NOLINT
                                              torch::TensorOptions(torch::kUInt8));
  return host.to(device, /*non_blocking=*/true);
}

void check_launch(const char* kernel) {
  const cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) return;
  // As LibTorch throws its own: the code tells whether the GPU is lost (harness/run/torch_error.h).
  throw c10::AcceleratorError(
      {__func__, __FILE__, static_cast<std::uint32_t>(__LINE__)}, status,
      fmt::format("The CUDA kernel \"{}\" did not start: {}.", kernel, cudaGetErrorString(status)));
}

}  // namespace moe::cuda
