// A sweep file, as `moe-bench validate` reads it: any bytes give a sweep or sentences about what is wrong.
#include "core/error.h"
#include "harness/sweep/sweep.h"

#include "fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const moe::InputFile file(data, size);
  try {
    moe::read_sweep(file.path(), {});
  } catch (const moe::Error&) {
    return 0;
  }
  return 0;
}
