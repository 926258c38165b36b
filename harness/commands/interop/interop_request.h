#pragma once
// What a command for comparison with other implementations (`layer`, `objective`) is given.

#include <filesystem>

namespace moe {

struct InteropRequest {
  std::filesystem::path config;  ///< JSON: the conditions
  std::filesystem::path input;   ///< safetensors
  std::filesystem::path output;  ///< safetensors
};

}  // namespace moe
