#include "harness/run/gpu/gpu_slots.h"

#include "core/error.h"
#include "harness/run/run_needs.h"

#include <algorithm>
#include <ostream>

namespace moe {

GpuSlots::GpuSlots(const std::vector<VisibleGpu>& gpus, const std::vector<int>& most) {
  for (std::size_t i = 0; i < gpus.size(); ++i) slots_.push_back({.gpu = gpus[i], .most = most.at(i)});
}

int GpuSlots::total() const {
  int total = 0;
  for (const Slots& slots : slots_) total += slots.most;
  return total;
}

const VisibleGpu* GpuSlots::take(const std::string& run) {
  Slots* best = nullptr;
  for (Slots& slots : slots_) {
    const bool has_place = !slots.lost && slots.taken < slots.most;
    if (has_place && (best == nullptr || slots.taken < best->taken)) best = &slots;
  }
  if (best == nullptr) return nullptr;
  ++best->taken;
  place_[run] = static_cast<std::size_t>(best - slots_.data());
  return &best->gpu;
}

const VisibleGpu& GpuSlots::release(const std::string& run, bool lost) {
  const auto place = place_.find(run);
  Slots& slots = slots_.at(place->second);
  place_.erase(place);
  --slots.taken;
  slots.lost = slots.lost || lost;
  return slots.gpu;
}

GpuSlots make_gpu_slots(const std::vector<VisibleGpu>& gpus, const std::vector<RunSpec>& runs, int most,
                        std::ostream& notes) {
  std::vector<int> places;
  for (const VisibleGpu& gpu : gpus) {
    // One run has its place whatever it needs: what was expected of it errs upwards.
    places.push_back(most == 1 ? 1 : runs_that_fit(runs, gpu.memory_bytes, most));
    if (places.back() < std::min<std::int64_t>(most, std::ssize(runs))) {
      notes << fmt::format("{}: {} at a time, since its {:.0f} GB may not hold more.\n", gpu.title(), places.back(),
                           static_cast<double>(gpu.memory_bytes) / 1e9);
    }
  }
  return {gpus, places};
}

}  // namespace moe
