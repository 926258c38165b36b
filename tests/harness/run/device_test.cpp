#include "harness/run/device.h"

#include "core/error.h"
#include "tests/support/catch.h"

#include <ATen/Context.h>
#include <torch/cuda.h>

namespace moe {

TEST_CASE("the CPU is always there, adds as it always did, and has neither a name nor memory of its own") {
  CHECK(open_device("cpu").is_cpu());
  CHECK_FALSE(at::globalContext().deterministicAlgorithms());
  CHECK(device_name("cpu").empty());
  CHECK_FALSE(peak_device_memory_bytes("cpu"));
}

TEST_CASE("a GPU adds in a fixed order; where there is none, the machine is at fault") {
  if (torch::cuda::is_available()) {
    CHECK(open_device("cuda").is_cuda());
    CHECK(at::globalContext().deterministicAlgorithms());
    at::globalContext().setDeterministicAlgorithms(false, false);
    return;
  }
  try {
    open_device("cuda");
    FAIL("there is no GPU");
  } catch (const Error& error) {
    CHECK(error.what() == std::string("--device cuda: this build or this machine has no GPU."));
    CHECK(error.status() == ExitStatus::machine_failed);
  }
}

}  // namespace moe
