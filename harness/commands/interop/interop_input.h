#pragma once
// What the commands for comparison with other implementations share: conditions from a JSON file, tensors from and to
// safetensors files.

#include "core/config.h"
#include "model/safetensors.h"

#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// The name of an MoE layer's parameter or buffer in the files of these commands, and in `moe-bench list`.
std::string interop_name(const std::string& parameter);

/// The settings struct with what the file says. Throws Error naming file and JSON path.
template <class Settings>
Settings read_interop_config(const std::filesystem::path& file) {
  Settings settings;
  ConfigErrors errors;
  read_settings(settings, read_json(file), "", errors);
  errors.throw_if_any(file.string());
  return settings;
}

/// Tensors of a file, asked for by name.
class InteropInput {
 public:
  explicit InteropInput(const std::filesystem::path& file) : file_(file), tensors_(read_safetensors(file).tensors) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }

  /// Throws Error unless the tensor is there with this type and shape, of which -1 stands for any size.
  torch::Tensor get(const std::string& name, torch::Dtype dtype, const std::vector<std::int64_t>& shape) const;

  /// The same, or undefined when it is not there.
  torch::Tensor find(const std::string& name, torch::Dtype dtype, const std::vector<std::int64_t>& shape) const {
    return has(name) ? get(name, dtype, shape) : torch::Tensor();
  }

 private:
  std::filesystem::path file_;
  std::map<std::string, torch::Tensor> tensors_;
};

}  // namespace moe
