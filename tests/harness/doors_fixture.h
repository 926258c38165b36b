#pragma once
// Asks a door for comparison (harness/doors) as its command does, through files.

#include "core/files.h"
#include "core/temporary_folder.h"
#include "harness/doors/door.h"

#include <torch/types.h>

#include <map>
#include <string>

namespace moe {

using Tensors = std::map<std::string, torch::Tensor>;

/// What a door answers.
inline Tensors ask(void (*door)(const DoorRequest&), const Json& config, const Tensors& input) {
  const TemporaryFolder folder;
  const DoorRequest request{folder.path() / "config.json", folder.path() / "in.safetensors",
                            folder.path() / "out.safetensors"};
  write_file(request.config, config.dump());
  write_safetensors(request.input, {input, {}});
  door(request);
  return read_safetensors(request.output).tensors;
}

}  // namespace moe
