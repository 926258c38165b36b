#pragma once
// Tensors in the safetensors format, so that Python users can open our checkpoints.

#include "core/files.h"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace moe {

struct TensorFile {
  std::map<std::string, torch::Tensor> tensors;  ///< on the CPU when read; any device when written
  std::map<std::string, std::string> metadata;
};

/// A tensor that is put together only when it is written, so that a file may be larger than memory.
struct LazyTensor {
  LazyTensor(std::vector<std::int64_t> extents, torch::ScalarType type, std::function<torch::Tensor()> work)
      : shape(std::move(extents)), dtype(type), make(std::move(work)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): a tensor is the source of itself
  LazyTensor(const torch::Tensor& tensor)
      : LazyTensor(tensor.sizes().vec(), tensor.scalar_type(), [tensor] { return tensor; }) {}

  std::vector<std::int64_t> shape;
  torch::ScalarType dtype;
  std::function<torch::Tensor()> make;
};

/// By name.
using LazyTensors = std::map<std::string, LazyTensor>;

/// What all sources make, in the order of their names.
std::map<std::string, torch::Tensor> make_tensors(const LazyTensors& sources);

/// Writes a file tensor by tensor, whole or not at all. Dtypes: float64, float32, bfloat16, float16, int64, int32,
/// uint8, bool.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, const LazyTensors& sources,
                    const std::map<std::string, std::string>& metadata);

  /// The tensors in the order of their names, of any device, with the dtypes and sizes that were announced.
  void append(const torch::Tensor& tensor);
  /// Another value of the same length for what the metadata holds just once as `old_value`.
  void replace_metadata(const std::string& old_value, const std::string& new_value);
  /// When all were appended.
  void commit();

 private:
  struct Announced {
    torch::ScalarType dtype;
    std::vector<std::int64_t> shape;
  };

  AtomicFileWriter file_;
  std::string header_;
  std::vector<Announced> announced_;
  std::size_t appended_ = 0;
};

/// Writes the file whole or not at all.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads a file: its tensors are read when they are looked at. Throws Error (request_wrong) naming the path and what is
/// wrong with it: truncated, a header that is not JSON, sizes that do not fit the file or the shapes, ranges that
/// overlap or leave gaps. Nothing is allocated that the file does not hold.
TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace moe
