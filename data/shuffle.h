#pragma once
// Shuffling by counter-based draws.

#include "core/random.h"

#include <cstdint>
#include <utility>

namespace moe {

/// The items (of a vector or string) in a uniformly drawn order, a pure function of the stream (Fisher and Yates).
template <class Sequence>
Sequence shuffled(Sequence items, RandomStream stream) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(stream.at(i).below(static_cast<std::int64_t>(i)))]);
  }
  return items;
}

}  // namespace moe
