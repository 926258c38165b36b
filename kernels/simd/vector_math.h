#pragma once
// What the row kernels share: clones for wider vector units, and an exponential that the compiler can vectorise.

#include <torch/types.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

// One portable body, compiled again for AVX2 and AVX-512 and chosen at run time. Address sanitizer cannot start a
// program whose functions are chosen that early, so there the portable one runs.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MOE_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MOE_VECTOR_CLONES
#endif

// The body of a clone must be inlined into it, or it would run as the portable code that it is on its own.
#define MOE_INLINE inline __attribute__((always_inline))

namespace moe {

inline constexpr std::int64_t vector_floats = 16;  ///< in the widest vectors

constexpr std::int64_t round_up(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

inline constexpr float infinity = std::numeric_limits<float>::infinity();

/// exp(x) for x <= 0, to about 2 ulp; 0 below -87.7. Range reduction x = n ln 2 + r with |r| <= ln 2 / 2, and the
/// Taylor polynomial of degree 7 in r (truncation error below 1e-8 there).
MOE_INLINE float exp_nonpositive(float x) {
  constexpr auto log2_e = std::numbers::log2e_v<float>;
  constexpr float ln2_high = 0.693359375F;  // 355 / 512: n * ln2_high is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float to_integer = 12582912.0F;  // 1.5 * 2^23: adding it rounds to the nearest integer
  constexpr float least = -88.0F;            // whose n is -127, the exponent of 0
  const float clamped = x < least ? least : x;
  const float n = (clamped * log2_e + to_integer) - to_integer;
  const float r = (clamped - n * ln2_high) - n * ln2_low;
  float polynomial = 1.0F / 5040.0F;
  polynomial = polynomial * r + 1.0F / 720.0F;
  polynomial = polynomial * r + 1.0F / 120.0F;
  polynomial = polynomial * r + 1.0F / 24.0F;
  polynomial = polynomial * r + 1.0F / 6.0F;
  polynomial = polynomial * r + 0.5F;
  polynomial = polynomial * r + 1.0F;
  polynomial = polynomial * r + 1.0F;
  const auto exponent = static_cast<std::int32_t>(n) + 127;
  return polynomial * std::bit_cast<float>(exponent << 23);
}
MOE_INLINE double exp_nonpositive(double x) {
  return std::exp(x);
}

/// log sum exp of a row, of which one element at least is finite.
template <class Scalar>
MOE_INLINE Scalar logsumexp(const Scalar* value, std::int64_t count) {
  Scalar maximum = value[0];
#pragma omp simd reduction(max : maximum)
  for (std::int64_t v = 0; v < count; ++v) maximum = value[v] > maximum ? value[v] : maximum;
  Scalar sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t v = 0; v < count; ++v) sum += exp_nonpositive(value[v] - maximum);
  return maximum + std::log(sum);
}

/// How many rows of so many columns are worth a thread.
inline std::int64_t rows_at_once(std::int64_t columns) {
  constexpr std::int64_t elements_at_once = 1 << 15;
  return std::max<std::int64_t>(elements_at_once / std::max<std::int64_t>(columns, 1), 1);
}

/// Sum of a contiguous float64 tensor on the CPU in its order, so that it is the same for any number of threads.
inline torch::Tensor ordered_sum(const torch::Tensor& values, torch::ScalarType type) {
  double sum = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) sum += values.const_data_ptr<double>()[i];
  return torch::full({}, sum, values.options().dtype(type));
}

}  // namespace moe
