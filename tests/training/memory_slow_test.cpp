#include "core/memory.h"
#include "tests/support/catch.h"
#include "tests/support/memory.h"
#include "tests/training/fixture.h"

#include <ATen/Parallel.h>

namespace moe {
namespace {

/// Products keep a compiled kernel for every size and stride that they meet, in each thread.
void train_on_all_shapes(const char* precision) {
  if (!can_measure_memory()) return;
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  TinyTraining run;
  run.pairs = pairs_of_all_lengths(20'000, 250);
  run.training.tokens_per_batch = 1024;
  run.training.precision = precision;
  run.start("switch", {{"experts", 4}}, 0.1);
  run.trainer->reserve_memory();
  for (int step = 0; step < 100; ++step) run.trainer->step();
  const std::int64_t before = resident_bytes();
  for (int step = 100; step < 10'000; ++step) run.trainer->step();
  const std::int64_t grown = resident_bytes() - before;
  at::set_num_threads(threads);
  CAPTURE(before, grown);
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
