#pragma once
// Keyed dropout (kernels/dropout.h) on a GPU: the very mask of the CPU, since it is a function of key and index alone.

#include "core/random.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/launch.h"

namespace moe::cuda {

/// out = residual + x * mask, a word of random bits a thread: word w has the bits of elements 4 w .. 4 w + 3.
template <class In, class Out>
struct DropElements {
  static constexpr std::int64_t elements_per_word = 4;

  const Out* residual;  ///< null: none
  const In* x;
  Out* out;
  std::int64_t count;
  std::uint64_t key;
  std::uint32_t threshold;  ///< an element stays when its 16 bits are below
  float scale;              ///< of what stays

  MOE_DEVICE void operator()(std::int64_t w) const {
    const std::uint64_t word = mix(key + static_cast<std::uint64_t>(w));
    for (int j = 0; j < elements_per_word; ++j) {
      const std::int64_t i = w * elements_per_word + j;
      if (i >= count) return;
      const std::uint32_t bits = static_cast<std::uint32_t>(word >> (16 * j)) & 0xffffU;
      const float kept = to_float(x[i]) * (bits < threshold ? scale : 0.0F);
      out[i] = from_float<Out>(residual == nullptr ? kept : to_float(residual[i]) + kept);
    }
  }
};

/// In and Out: float or Bf16.
template <class In, class Out>
void run(const DropElements<In, Out>& body, Stream stream);

}  // namespace moe::cuda
