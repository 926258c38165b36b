#pragma once
// Which GPU each run of a sweep computes on.

#include "harness/run/gpu/gpus.h"
#include "harness/sweep/run_spec.h"

#include <cstddef>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace moe {

/// Places for runs on GPUs. A GPU that was lost has none any more.
class GpuSlots {
 public:
  /// `most[i]`: runs at a time on `gpus[i]`.
  GpuSlots(const std::vector<VisibleGpu>& gpus, const std::vector<int>& most);

  /// All places.
  int total() const;

  /// Takes a place for the run, on the GPU with the fewest runs, the first of those. Null when there is none.
  const VisibleGpu* take(const std::string& run);

  /// Gives the run's place back, and says which GPU it was on. `lost`: the GPU failed under it and is not used again.
  const VisibleGpu& release(const std::string& run, bool lost);

 private:
  struct Slots {
    VisibleGpu gpu;
    int most = 1;
    int taken = 0;
    bool lost = false;
  };

  std::vector<Slots> slots_;
  std::map<std::string, std::size_t> place_;  ///< of each run that has one: index into slots_
};

/// Up to `most` places on each GPU, as far as its memory holds that many of the runs, and at least one. What memory
/// takes away is said to `notes`.
GpuSlots make_gpu_slots(const std::vector<VisibleGpu>& gpus, const std::vector<RunSpec>& runs, int most,
                        std::ostream& notes);

}  // namespace moe
