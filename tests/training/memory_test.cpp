#include "tests/support/memory.h"

#include "tests/support/catch.h"
#include "tests/training/fixture.h"
#include "tests/training/memory_growth.h"

namespace moe {
TEST_CASE("memory stays where it is while the shapes of batches keep changing") {
  if (!can_measure_memory()) return;
  TinyTraining run;
  run.pairs = pairs_of_all_lengths(3000, 60);
  run.training.tokens_per_batch = 256;
  run.training.precision = GENERATE("fp32", "bf16");
  run.objective.passes = 2;
  run.objective.consistency = 5;
  run.start("thor", {{"experts", 2}}, 0.1);
  const std::int64_t grown = growth_behind(*run.trainer, 600, 200);  // kernels of most sizes are there by then
  CAPTURE(run.training.precision, grown);
  CHECK(grown < 6'000'000);  // a tensor of [tokens, width] kept in each step would be more
}

TEST_CASE("the largest batch is met first, and nothing is learned from it") {
  TinyTraining plain, rehearsed;
  plain.start("switch", {{"experts", 3}}, 0.1);
  rehearsed.start("switch", {{"experts", 3}}, 0.1);
  rehearsed.trainer->reserve_memory();
  for (int step = 0; step < 3; ++step) {
    plain.trainer->step();
    rehearsed.trainer->step();
  }
  CHECK(first_difference(state_of(*plain.trainer), state_of(*rehearsed.trainer)).empty());
}

}  // namespace moe
