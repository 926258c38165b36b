#include "harness/run/torch_error.h"

#include "tests/harness/commands/interop_fixture.h"
#include "tests/harness/program.h"
#include "tests/support/catch.h"
#include "tests/support/memory.h"

#include <torch/types.h>

namespace moe {
namespace {

/// What LibTorch throws for `work`, as a sentence.
std::string sentence_for(const std::function<void()>& work) {
  try {
    work();
  } catch (const c10::Error& error) {
    CHECK_FALSE(is_out_of_memory(error));
    return sentence_of(error);
  }
  return "";
}

}  // namespace

TEST_CASE("an error of LibTorch is one line without its backtrace") {
  CHECK(sentence_for([] { torch::zeros({2, 3}).view({4}); }) ==
        "LibTorch: shape '[4]' is invalid for input of size 6.");
  CHECK(sentence_for([] { TORCH_CHECK(false, "One.\nTwo.\n"); }) == "LibTorch: One. Two.");
}

TEST_CASE("a GPU is lost by what would fail the next run too, not by a bug in a kernel") {
  const auto error = [](int code) {
    return c10::AcceleratorError({"error", __FILE__, static_cast<std::uint32_t>(__LINE__)}, code, "CUDA error");
  };
  CHECK(is_device_loss(error(214)));        // an uncorrectable error of its memory
  CHECK(is_device_loss(error(100)));        // no device
  CHECK_FALSE(is_device_loss(error(700)));  // an illegal address
  CHECK_FALSE(is_device_loss(error(2)));    // out of memory
  CHECK_FALSE(is_device_loss(c10::Error({__func__, __FILE__, static_cast<std::uint32_t>(__LINE__)}, "other")));
}

TEST_CASE("a command that LibTorch gives no memory says so, and nothing of LibTorch's insides") {
  if (!can_measure_memory()) return;
  // 2^45 sentences without a token have numbers of 256 terabytes, more than any process can address.
  const TemporaryFolder folder;
  write_file(folder.path() / "config.json", R"({"strategy": {"router": "dense"}})");
  write_safetensors(folder.path() / "in.safetensors", {{{"x", torch::zeros({std::int64_t{1} << 45, 0, 8})}}, {}});
  const Ended ended = run_program({"layer", "--config", (folder.path() / "config.json").string(), "--input",
                                   (folder.path() / "in.safetensors").string(), "--output",
                                   (folder.path() / "out.safetensors").string()});
  CHECK(ended.status == 3);
  CHECK(ended.error == "Out of memory.\n");
}

}  // namespace moe
