#include "kernels/cuda/host_waits.h"

#include "kernels/cuda/tensors.h"
#include "tests/support/catch.h"
#include "tests/training/fixture.h"

#include <torch/cuda.h>

#include <string>

namespace moe {

TEST_CASE("a training step waits for this GPU equally often each time, and says how often", "[cuda]") {
  if constexpr (cuda::is_built) {
    if (!torch::cuda::is_available()) {
      WARN("There is no GPU: nothing was checked.");
      return;
    }
    for (const std::string router : {"dense", "switch", "thor"}) {
      TinyTraining training;
      training.start(router, router == "dense" ? Json::object() : Json{{"experts", 3}}, 0.1, torch::kCUDA);
      const auto waits_of_step = [&] {
        const cuda::HostWaits waits;
        training.trainer->step();
        return waits.count();
      };
      waits_of_step();  // the first one also reserves memory
      const std::int64_t waits = waits_of_step();
      CHECK(waits_of_step() == waits);
      CHECK(waits > 0);  // the norm of the gradients is read at least, or nothing is counted
      WARN("host waits of a step, " << router << ": " << waits);  // read by tools/gpu-check
    }
  } else {
    WARN("This build has no CUDA: nothing was checked.");
  }
}

}  // namespace moe
