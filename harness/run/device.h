#pragma once
// Where a command computes.

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// Throws Error (machine_failed) where this build or this machine has no GPU. `name`: as it was asked for.
void require_gpu(const std::string& name);

/// The device "cpu" or "cuda", ready for work. Throws Error where there is none, as require_gpu does. A GPU is told to
/// add in a fixed order, as the CPU does anyway: what a run computes is the same each time.
c10::Device open_device(const std::string& name);

/// What the driver calls the GPU; empty for the CPU.
std::string device_name(const std::string& device);

/// Most bytes that this process has held of the device's memory; none for the CPU.
std::optional<std::int64_t> peak_device_memory_bytes(const std::string& device);

}  // namespace moe
