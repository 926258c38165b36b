#pragma once
// Where a command computes.

#include <c10/core/Device.h>

#include <string>

namespace moe {

/// The device "cpu" or "cuda", ready for work. Throws Error where this build or this machine has no GPU. A GPU is told
/// to add in a fixed order, as the CPU does anyway: what a run computes is the same each time.
c10::Device open_device(const std::string& name);

}  // namespace moe
