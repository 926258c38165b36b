// A safetensors file: any bytes give tensors no larger than the file, or an error.
#include "core/error.h"
#include "model/safetensors.h"

#include <torch/types.h>

#include "fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const moe::InputFile file(data, size);
  try {
    const moe::TensorFile content = moe::read_safetensors(file.path());
    for (const auto& [name, tensor] : content.tensors) {
      if (tensor.nbytes() > size) std::abort();
    }
  } catch (const moe::Error&) {
    return 0;
  }
  return 0;
}
