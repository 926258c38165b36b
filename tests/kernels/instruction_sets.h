#pragma once
// Which of the instruction sets that kernels choose by this processor has.

#include "kernels/simd/cpu_isa.h"
#include "tests/support/catch.h"

#include <array>

namespace moe {

struct InstructionSet {
  const char* name;
  bool (*is_here)();
};

/// Each includes those before it.
inline constexpr std::array<InstructionSet, 4> instruction_sets = {
    {{"avx2", has_avx2}, {"avx512", has_avx512}, {"avx512_bf16", has_avx512_bf16}, {"amx_bf16", has_amx_bf16}}};

/// Whether the processor has one of them; a test that leaves something out says so.
inline bool can_run(bool (*is_here)()) {
  for (const InstructionSet& set : instruction_sets) {
    if (set.is_here == is_here && !is_here()) WARN("Not run: this processor has no " << set.name << ".");
  }
  return is_here();
}

}  // namespace moe
