#include "harness/run/run_pace.h"

#include "tests/harness/sweep_fixture.h"
#include "tests/support/catch.h"

namespace moe {

TEST_CASE("the time of a run is that of its updates, validations and tests") {
  RunSpec spec = test::read(test::small_sweep()).runs.front();
  spec.training.updates = 950;
  spec.evaluation.every = 100;
  const RunPace pace{
      .seconds_per_update = 2, .flops_per_update = 10, .seconds_per_validation = 30, .seconds_of_tests = 7};
  // Ten validations and that of the mean; tests of the mean and of the last weights.
  CHECK(expected_seconds(spec, pace) == Approx(950 * 2 + 11 * 30 + 2 * 7));
  spec.evaluation.average_share = 0;
  CHECK(expected_seconds(spec, pace) == Approx(950 * 2 + 10 * 30 + 7));
  spec.training.flops = 4995;
  CHECK(expected_updates(spec.training, pace) == 500);
  spec.training.seconds = 100;
  CHECK(expected_updates(spec.training, pace) == 50);
  spec.training.updates = 0;  // the untrained model is validated and tested
  CHECK(expected_seconds(spec, pace) == Approx(30 + 7));
}

TEST_CASE("every part of a run is measured") {
  RunSpec spec = test::read(test::small_sweep()).runs.front();
  spec.data.vocabulary = 100;
  spec.model.width = 16;
  spec.model.ffn = 24;
  spec.model.heads = 2;
  spec.training.tokens_per_batch = 256;
  const PaceData data = made_up_pace_data(100);
  CHECK(data.counts.source.size() == 100);
  const RunPace pace = measure_pace(spec, data);
  CHECK(pace.seconds_per_update > 0);
  CHECK(pace.flops_per_update > 0);
  CHECK(pace.seconds_per_validation > 0);
  CHECK(pace.seconds_of_tests > 0);
}

}  // namespace moe
