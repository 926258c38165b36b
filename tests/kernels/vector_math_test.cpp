#include "kernels/simd/vector_math.h"

#include "tests/support/catch.h"

#include <cmath>
#include <limits>
#include <vector>

namespace moe {
namespace {

/// In a loop, as the kernels take it: of whole vectors where the processor has them.
MOE_VECTOR_CLONES void exponentiate(const float* x, std::int64_t count, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) out[i] = exp_nonpositive(x[i]);
}

std::vector<float> exponentials(const std::vector<float>& x) {
  std::vector<float> out(x.size());
  exponentiate(x.data(), static_cast<std::int64_t>(x.size()), out.data());
  return out;
}

}  // namespace

TEST_CASE("exponentials are those of the standard library to a few ulp") {
  std::vector<float> x;
  for (int i = 0; i < 6350; ++i) x.push_back(-0.0137F * static_cast<float>(i));  // to -86.98
  const std::vector<float> result = exponentials(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto expected = static_cast<float>(std::exp(static_cast<double>(x[i])));
    CAPTURE(x[i]);
    CHECK(std::abs(result[i] - expected) <= 3 * (expected - std::nextafter(expected, 0.0F)));
  }
}

TEST_CASE("exponentials of what lies far below are 0, and NaN stays") {
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : exponentials({-88.0F, -89.0F, -104.0F, -1e6F, -1e30F, -infinity})) CHECK(value == 0.0F);
  for (const float value : exponentials({nan, -nan, nan, nan, nan, nan, nan, nan, -nan})) CHECK(std::isnan(value));
  CHECK(exponentials({0.0F, -0.0F}) == std::vector{1.0F, 1.0F});
}

}  // namespace moe
