#pragma once
// bfloat16 as bits, so that kernels read and write it without a library's header. Computed with in float32.

#include "kernels/cuda/launch.h"

#include <bit>
#include <cstdint>

namespace moe::cuda {

struct Bf16 {
  std::uint16_t bits;
};

MOE_DEVICE inline float to_float(float value) {
  return value;
}
MOE_DEVICE inline float to_float(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U);
}

/// To the nearest, ties to the even one; NaN stays NaN.
template <class Stored>
MOE_DEVICE inline Stored from_float(float value);

template <>
MOE_DEVICE inline float from_float<float>(float value) {
  return value;
}
template <>
MOE_DEVICE inline Bf16 from_float<Bf16>(float value) {
  if (value != value) return {0x7fc0};
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U)};
}

}  // namespace moe::cuda
