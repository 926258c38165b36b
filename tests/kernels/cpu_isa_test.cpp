#include "kernels/simd/cpu_isa.h"

#include "core/text.h"
#include "tests/kernels/instruction_sets.h"
#include "tests/support/catch.h"

#include <fmt/format.h>

#include <iostream>
#include <string>
#include <vector>

namespace moe {

TEST_CASE("instruction sets exercised") {
  std::vector<std::string> here, absent;
  bool has_narrower = true;
  for (const InstructionSet& set : instruction_sets) {
    CAPTURE(set.name);
    if (set.is_here()) CHECK(has_narrower);
    has_narrower = set.is_here();
    (has_narrower ? here : absent).emplace_back(set.name);
  }
  const auto names = [](const std::vector<std::string>& sets) { return sets.empty() ? "none" : join(sets, ", "); };
  std::cout << fmt::format("exercised: {}; not run here: {}\n", names(here), names(absent)) << std::flush;
}

}  // namespace moe
