#pragma once
// Asks a command for comparison with other implementations (`layer`, `objective`) through files, as a user does.

#include "core/files.h"
#include "core/temporary_folder.h"
#include "harness/commands/interop/interop_input.h"
#include "harness/commands/interop/interop_request.h"

#include <torch/types.h>

#include <map>
#include <string>

namespace moe {

using Tensors = std::map<std::string, torch::Tensor>;

/// What the command answers.
inline Tensors ask(void (*command)(const InteropRequest&), const Json& config, const Tensors& input) {
  const TemporaryFolder folder;
  const InteropRequest request{folder.path() / "config.json", folder.path() / "in.safetensors",
                               folder.path() / "out.safetensors"};
  write_file(request.config, config.dump());
  write_safetensors(request.input, {input, {}});
  command(request);
  return read_safetensors(request.output).tensors;
}

}  // namespace moe
