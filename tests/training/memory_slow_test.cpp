#include "tests/support/catch.h"
#include "tests/support/memory.h"
#include "tests/training/fixture.h"
#include "tests/training/memory_growth.h"

namespace moe {
namespace {

void train_on_all_shapes(const char* precision) {
  if (!can_measure_memory()) return;
  TinyTraining run;
  run.pairs = pairs_of_all_lengths(20'000, 250);
  run.training.tokens_per_batch = 1024;
  run.training.precision = precision;
  run.start("switch", {{"experts", 4}}, 0.1);
  const std::int64_t grown = growth_behind(*run.trainer, 100, 9'900);
  CAPTURE(grown);
  CHECK(grown < 50'000'000);
}

}  // namespace

TEST_CASE("ten thousand steps of ever-changing shapes take no more memory than the first hundred", "[slow]") {
  train_on_all_shapes("fp32");
}

TEST_CASE("ten thousand steps of ever-changing shapes in bfloat16 take no more memory than the first hundred",
          "[slow]") {
  train_on_all_shapes("bf16");
}

}  // namespace moe
