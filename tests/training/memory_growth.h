#pragma once
// How much memory a process takes while it trains.

#include "core/memory.h"
#include "tests/support/threads.h"
#include "training/trainer.h"

#include <cstdint>

namespace moe {

/// Bytes by which the process grows in so many steps behind the first ones. With two threads, each of which keeps
/// compiled kernels of matrix products for every size and stride that it meets.
inline std::int64_t growth_behind(Trainer& trainer, int first_steps, int steps) {
  const WithThreads two(2);
  trainer.reserve_memory();
  for (int step = 0; step < first_steps; ++step) trainer.step();
  const std::int64_t before = resident_bytes();
  for (int step = 0; step < steps; ++step) trainer.step();
  return resident_bytes() - before;
}

}  // namespace moe
