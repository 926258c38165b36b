#pragma once
// The GPUs that the runs of a sweep may compute on.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

struct VisibleGpu {
  int number = 0;                 ///< among those that this process may see, from 0
  std::string visible = "0";      ///< what CUDA_VISIBLE_DEVICES calls it: a number of the machine, or a UUID
  std::string name = {};          ///< what the driver calls it
  std::int64_t memory_bytes = 0;  ///< all of it, whoever uses it

  /// "GPU 0 (NVIDIA H200)".
  std::string title() const;
};

/// What --device of a sweep asks for.
struct DeviceChoice {
  bool gpu = false;
  std::vector<int> numbers = {};  ///< of VisibleGpu::number; empty: all
};

/// Reads "cpu", "cuda" or "cuda:0,2". Throws Error for all else, and for a number that stands twice.
DeviceChoice parse_device(const std::string& text);

/// What CUDA_VISIBLE_DEVICES calls each of `count` visible GPUs where its value is now `variable`, or it isn't set.
std::vector<std::string> visible_names(int count, const std::optional<std::string>& variable);

/// Asks the driver, which looks at CUDA_VISIBLE_DEVICES when a process first calls it. Empty without a driver.
std::vector<VisibleGpu> visible_gpus();

/// Those that are asked for, in that order. Throws Error (machine_failed) when none is visible, and for a number that
/// none of them has.
std::vector<VisibleGpu> choose_gpus(const DeviceChoice& choice, const std::vector<VisibleGpu>& visible);

}  // namespace moe
