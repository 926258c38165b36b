#include "harness/run/device.h"

#include "core/error.h"
#include "harness/cluster/gpu_driver.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
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

void require_gpu(const std::string& name) {
  if (torch::cuda::is_available()) return;
  throw Error(fmt::format("--device {}: this build or this machine has no GPU.", name), ExitStatus::machine_failed);
}

c10::Device open_device(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  require_gpu(name);
  fix_order_of_sums();
  return c10::Device(name);
}

std::string device_name(const std::string& device) {
  if (device == "cpu" || !torch::cuda::is_available()) return "";
  const GpuDriver driver = ask_gpu_driver();
  return driver.gpus.empty() ? "" : driver.gpus.front().name;
}

std::optional<std::int64_t> peak_device_memory_bytes(const std::string& device) {
  if (device == "cpu") return std::nullopt;
  const auto stats = at::getDeviceAllocator(c10::Device(device).type())->getDeviceStats(0);
  return stats.reserved_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

}  // namespace moe
