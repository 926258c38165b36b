#pragma once
// A share of a set's sentence pairs.

#include "data/corpus.h"

namespace moe {

/// Cuts each direction down to `share` of its lines, rounded up, in their order. The lines are drawn by their number
/// alone: line-aligned directions keep the same ones, and a smaller share is a part of a larger one.
void keep_share(TextSet& set, double share);

}  // namespace moe
