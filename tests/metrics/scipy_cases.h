#pragma once
// Random cases with what SciPy and statsmodels make of them: tools/compare_scipy.py.

#include "core/json.h"
#include "tests/support/catch.h"

#include <filesystem>

namespace moe {

/// The cases of one kind, at least one.
inline const Json& scipy_cases(const char* kind) {
  static const Json cases =
      read_json(std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "tests" / "metrics" / "scipy_cases.json");
  REQUIRE_FALSE(cases.at(kind).empty());
  return cases.at(kind);
}

/// The number under `key` up to 1e-9 of itself; the margin is for what is 0 but for rounding.
inline Approx scipy_value(const Json& one, const char* key) {
  return Approx(one.at(key).get<double>()).epsilon(1e-9).margin(1e-14);
}

}  // namespace moe
