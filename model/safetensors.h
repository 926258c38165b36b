#pragma once
// Tensors in the safetensors format, so that Python users can open our checkpoints.

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace moe {

struct TensorFile {
  std::map<std::string, torch::Tensor> tensors;  ///< on the CPU when read; any device when written
  std::map<std::string, std::string> metadata;
};

/// Writes the file whole or not at all. Dtypes: float64, float32, bfloat16, float16, int64, int32, uint8, bool.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads a file. Throws Error (request_wrong) naming the path and what is wrong with it: truncated, a header that is
/// not JSON, sizes that do not fit the file or the shapes, ranges that overlap or leave gaps. Nothing is allocated that
/// the file does not hold.
TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace moe
