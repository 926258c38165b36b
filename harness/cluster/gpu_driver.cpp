#include "harness/cluster/gpu_driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <fstream>
#include <sstream>

namespace moe {
namespace {

constexpr int success = 0;
constexpr int no_device = 100;               // CUDA_ERROR_NO_DEVICE
constexpr int capability_major_number = 75;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, and MINOR behind it

/// The functions of libcuda.so.1 that are asked, as its headers declare them. A device is a number.
struct Functions {
  int (*start)(unsigned flags) = nullptr;
  int (*cuda_version)(int* version) = nullptr;
  int (*count)(int* count) = nullptr;
  int (*device)(int* device, int ordinal) = nullptr;
  int (*name)(char* name, int length, int device) = nullptr;
  int (*memory)(std::size_t* bytes, int device) = nullptr;
  int (*attribute)(int* value, int attribute, int device) = nullptr;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

/// False where the library lacks one of them. It stays loaded, as LibTorch leaves it.
bool find_all(void* library, Functions& functions) {
  return find(library, "cuInit", functions.start) && find(library, "cuDriverGetVersion", functions.cuda_version) &&
         find(library, "cuDeviceGetCount", functions.count) && find(library, "cuDeviceGet", functions.device) &&
         find(library, "cuDeviceGetName", functions.name) && find(library, "cuDeviceTotalMem_v2", functions.memory) &&
         find(library, "cuDeviceGetAttribute", functions.attribute);
}

/// "580.65.06" from the first line of what the kernel's module tells of itself; empty where it tells nothing.
std::string kernel_module_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const auto is_part = [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; };
    if (word.find('.') != std::string::npos && std::all_of(word.begin(), word.end(), is_part)) return word;
  }
  return "";
}

Gpu describe(const Functions& driver, int ordinal) {
  Gpu gpu;
  int device = 0;
  std::array<char, 256> name{};
  std::size_t bytes = 0;
  if (driver.device(&device, ordinal) != success) return gpu;
  if (driver.name(name.data(), static_cast<int>(name.size()), device) == success) gpu.name = name.data();
  if (driver.memory(&bytes, device) == success) gpu.memory_bytes = static_cast<std::int64_t>(bytes);
  driver.attribute(&gpu.capability_major, capability_major_number, device);
  driver.attribute(&gpu.capability_minor, capability_major_number + 1, device);
  return gpu;
}

}  // namespace

GpuDriver ask_gpu_driver() {
  GpuDriver found;
  void* const library = dlopen("libcuda.so.1", RTLD_LAZY);
  Functions driver;
  if (library == nullptr || !find_all(library, driver)) {
    found.absent = "no NVIDIA driver on this machine";
    return found;
  }
  const int started = driver.start(0);
  if (started != success) {
    found.absent = started == no_device ? "an NVIDIA driver, but no GPU that this process may see"
                                        : fmt::format("an NVIDIA driver that does not start (error {})", started);
    return found;
  }
  int cuda = 0;  // 13000 is 13.0
  driver.cuda_version(&cuda);
  const std::string module_version = kernel_module_version();
  found.version = fmt::format("driver{}{}, for CUDA up to {}.{}", module_version.empty() ? "" : " ", module_version,
                              cuda / 1000, cuda % 1000 / 10);
  int count = 0;
  driver.count(&count);
  for (int ordinal = 0; ordinal < count; ++ordinal) found.gpus.push_back(describe(driver, ordinal));
  return found;
}

}  // namespace moe
