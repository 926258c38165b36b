#include "harness/device.h"

#include "core/error.h"

#include <ATen/Context.h>
#include <torch/cuda.h>

#include <cstdlib>

namespace moe {
namespace {

/// Kernels that add up atomically give way to others, which also want a workspace of cuBLAS that never changes.
void fix_order_of_sums() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*replace=*/0);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);  // nothing is read before it is written
}

}  // namespace

c10::Device open_device(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  if (!torch::cuda::is_available()) {
    throw Error(fmt::format("--device {}: this build or this machine has no GPU.", name), ExitStatus::machine_failed);
  }
  fix_order_of_sums();
  return c10::Device(name);
}

}  // namespace moe
