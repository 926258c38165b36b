#include "core/memory.h"
#include "tests/support/catch.h"
#include "tests/support/memory.h"

#include <torch/types.h>

#include <cstdlib>

namespace moe {
namespace {

/// A product of LibTorch's, in bfloat16, for every number of rows in the range: on most processors oneDNN's.
void multiply(std::int64_t first_rows, std::int64_t last_rows) {
  const torch::Tensor b = torch::ones({128, 128}, torch::kBFloat16);
  for (std::int64_t rows = first_rows; rows < last_rows; ++rows) {
    torch::mm(torch::ones({rows, 128}, torch::kBFloat16), b);
  }
}

}  // namespace

TEST_CASE("the capacity of the libraries' caches is set before they are used") {
  for (const char* const variable : {"ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"}) {
    const char* const capacity = std::getenv(variable);
    REQUIRE(capacity != nullptr);
    CHECK(std::string(capacity) == "16");
  }
}

TEST_CASE("products of ever-changing shapes do not fill the memory") {
  if (!can_measure_memory()) return;
  multiply(1, 200);
  const std::int64_t before = resident_bytes();
  multiply(200, 1000);
  const std::int64_t grown = resident_bytes() - before;
  CAPTURE(grown);
  CHECK(grown < 20'000'000);
}

}  // namespace moe
