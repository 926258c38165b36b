#pragma once
// Beam search with key/value caches; a beam of one is greedy search.

#include "data/batches.h"
#include "decoding/evaluation_settings.h"
#include "model/transformer.h"
#include "parallel/execution_context.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <vector>

namespace moe {

struct BeamOptions {
  std::int64_t beam = 5;
  double length_penalty = 1.0;            ///< a: hypotheses are ranked by log-probability / length^a, end_id counted
  std::int64_t draw = 0;                  ///< for routers that draw at evaluation
  std::int64_t tokens_per_batch = 4096;   ///< source tokens of a batch, padding included, times the beam
  double max_length_ratio = 2;            ///< a hypothesis ends before it has this many times the tokens of its source
  std::int64_t max_length_constant = 10;  ///< and as many more, end_id counted, or is cut; one token is always allowed
};

/// As a run's test sets are translated, in the first draw of its evaluation.
BeamOptions beam_options(const EvaluationSettings& evaluation, std::int64_t tokens_per_batch);

struct Translation {
  std::vector<std::int64_t> ids;  ///< without end_id
  bool cut = false;               ///< no hypothesis had ended when the longest length was reached
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Translation, ids, cut)

/// The best hypothesis of every sentence of the set, in the set's order. Only the sources are read. Ranks
/// share the batches, and all have all translations. Throws Error (runs_failed) when the model's log-probabilities are
/// not finite numbers.
std::vector<Translation> translate(Transformer& model, const EncodedSet& set, const BeamOptions& options,
                                   ExecutionContext where);

}  // namespace moe
