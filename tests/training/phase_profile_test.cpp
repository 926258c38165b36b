#include "training/phase_profile.h"

#include "tests/support/catch.h"
#include "tests/training/fixture.h"

namespace moe {

TEST_CASE("the phases of a step are found, forward and backward") {
  TinyTraining run;
  run.start("switch", {{"experts", 3}});
  const PhaseProfile profile;
  for (int i = 0; i < 5; ++i) run.trainer->step();
  const auto seconds = profile.seconds();
  for (const char* phase :
       {"matrix products", "attention", "layer norm", "loss", "rows", "routing", "optimizer", "batches", "other"}) {
    CAPTURE(phase);
    REQUIRE(seconds.contains(phase));
    CHECK(seconds.at(phase) > 0);
  }
}

TEST_CASE("a profile ends with its object") {
  {
    const PhaseProfile profile;
  }
  const PhaseProfile second;
  CHECK(second.seconds().size() == 1);
}

}  // namespace moe
