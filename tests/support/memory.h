#pragma once
// Whether tests can measure memory.

#include "tests/support/catch.h"

namespace moe {

/// The address sanitizer keeps what is freed for a while, and ends a process that asks for too much. A test that leaves
/// something out says so.
inline bool can_measure_memory() {
#ifdef __SANITIZE_ADDRESS__
  WARN("Not run: the address sanitizer has its own ways with memory.");
  return false;
#else
  return true;
#endif
}

}  // namespace moe
