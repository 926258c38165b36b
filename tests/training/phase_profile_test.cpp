#include "training/phase_profile.h"

#include "tests/support/catch.h"
#include "tests/training/fixture.h"

namespace moe {

TEST_CASE("the phases of a step are found, forward and backward, and add up to its time") {
  TinyTraining run;
  run.start("switch", {{"experts", 3}});
  const PhaseProfile profile;
  for (int i = 0; i < 5; ++i) run.trainer->step();
  const auto seconds = profile.seconds();
  double sum = 0;
  for (const char* phase :
       {"matrix products", "attention", "layer norm", "loss", "rows", "routing", "optimizer", "batches", "other"}) {
    CAPTURE(phase);
    REQUIRE(seconds.contains(phase));
    CHECK(seconds.at(phase) > 0);
  }
  for (const auto& [phase, spent] : seconds) sum += spent;
  CHECK(seconds.at("other") < 0.8 * sum);
}

TEST_CASE("a profile ends with its object") {
  {
    const PhaseProfile profile;
  }
  const PhaseProfile second;
  CHECK(second.seconds().size() == 1);
}

}  // namespace moe
