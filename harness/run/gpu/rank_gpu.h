#pragma once
// Which GPU each of the ranks that share a run computes on.

#include "harness/run/gpu/gpus.h"
#include "parallel/communicator.h"

#include <exception>
#include <optional>
#include <string>

namespace moe {

/// What CUDA_VISIBLE_DEVICES is to be for the rank with this number on its machine: one GPU for each. A launcher that
/// shows each rank a single GPU has chosen. Throws Error (machine_failed) where there are more ranks than GPUs, as far
/// as the choice and `variable`, its value now, tell.
std::string gpu_of_rank(const DeviceChoice& choice, int local_rank, const std::optional<std::string>& variable);

/// The GPU of this process, if a launcher started it as one of several ranks.
class RankGpu {
 public:
  /// Shows this process its own GPU alone, before anything asks the driver, which looks only once.
  explicit RankGpu(const DeviceChoice& choice);

  /// Connects the ranks' GPUs. Called by all ranks alike; throws on all of them Error (machine_failed) where one has no
  /// GPU, or two have the same, and ends the job where NCCL does not start.
  void meet(Communicator& ranks) const;

 private:
  std::string visible_;         ///< what CUDA_VISIBLE_DEVICES calls it
  std::exception_ptr failure_;  ///< why there is none, for all ranks to hear when they have met
};

}  // namespace moe
