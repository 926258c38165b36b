#pragma once
// Beam search with key/value caches; a beam of one is greedy search.

#include "data/batches.h"
#include "model/transformer.h"

#include <cstdint>
#include <vector>

namespace moe {

struct BeamOptions {
  std::int64_t beam = 5;
  double length_penalty = 1.0;           ///< a: hypotheses are ranked by log-probability / length^a, end_id counted
  std::int64_t draw = 0;                 ///< for routers that draw at evaluation
  std::int64_t tokens_per_batch = 4096;  ///< source tokens of a batch, padding included
};

/// The best hypothesis of every sentence of the set, in the set's order, without end_id. Only the sources are read. A
/// hypothesis has at most 2 * (source length) + 10 tokens. Throws Error (runs_failed) when the model's log-probabilities
/// are not finite numbers.
std::vector<std::vector<std::int64_t>> translate(Transformer& model, const EncodedSet& set, const BeamOptions& options,
                                                 torch::Device device);

}  // namespace moe
