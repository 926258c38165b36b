#pragma once
// GPUs as NVIDIA's driver describes them. The driver is looked for when it is asked: its headers need not be there, and
// no build needs CUDA.

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

struct Gpu {
  std::string name;
  std::int64_t memory_bytes = 0;
  int capability_major = 0;  ///< compute capability, 9.0 for example
  int capability_minor = 0;
};

struct GpuDriver {
  std::string version;    ///< "driver 580.65.06, for CUDA up to 13.0"; empty: see `absent`
  std::vector<Gpu> gpus;  ///< that this process may see, in the order in which it numbers them
  std::string absent;     ///< why there is none
};

/// Loads and starts the driver. Does not make a context on any GPU.
GpuDriver ask_gpu_driver();

}  // namespace moe
