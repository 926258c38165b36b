#pragma once
// Encoded sentence pairs, and their grouping into length-bucketed batches.

#include "data/corpus.h"
#include "data/tokenizer.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// One sentence pair in subword ids; both sides end with end_id, the source starts with its target tag if one is used.
struct EncodedPair {
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> target;  ///< what is predicted; the decoder reads it shifted right, from begin_id
  std::vector<std::int64_t> label;   ///< of each source token, -1 for tag and end; empty without a world
  std::int64_t direction = 0;        ///< index into Corpus::directions
  std::int64_t sentence = 0;         ///< index in the data set, unique over all directions of the set
};

using EncodedSet = std::vector<EncodedPair>;

/// Encodes a set, direction after direction; `sentence` counts through. With `max_length` > 0, pairs with more subwords
/// on a side are left out (training only).
EncodedSet encode_set(const Corpus& corpus, const TextSet& set, const Tokenizer& tokenizer, std::int64_t max_length);

/// How often each id stands on one side of the training set: what balanced hashing needs. Size: vocabulary_size.
struct TokenCounts {
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> target;  ///< of decoder inputs, so with begin_id and without end_id
};
TokenCounts count_tokens(const EncodedSet& set, std::int64_t vocabulary_size);

/// A padded batch; matrices are row-major [sentences, length] with padding_id.
struct Batch {
  std::int64_t sentences = 0;               ///< B
  std::int64_t source_length = 0;           ///< S
  std::int64_t target_length = 0;           ///< T
  std::vector<std::int64_t> source;         ///< [B, S]
  std::vector<std::int64_t> source_label;   ///< [B, S]; empty without a world
  std::vector<std::int64_t> target_input;   ///< [B, T], begin_id first
  std::vector<std::int64_t> target_output;  ///< [B, T], end_id last
  std::vector<std::int64_t> sentence;       ///< [B]
  std::vector<std::int64_t> direction;      ///< [B]
  std::int64_t source_tokens = 0;           ///< without padding
  std::int64_t target_tokens = 0;
};

/// Pads the given members of `set` into one batch.
Batch make_batch(const EncodedSet& set, const std::vector<std::int64_t>& members);

/// Whose tokens fill a batch. The loss is a mean over the target tokens of an update, so updates must hold equally many
/// of them for all to weigh the same. With a limit on the longer side, pairs with a long source and a short target
/// stand in batches with few target tokens and weigh more: a model trained so translates too briefly
/// (docs/statistics.md).
enum class BatchSide {
  target,  ///< target tokens; source tokens are at most twice as many
  longer,  ///< tokens of either side, as fairseq's --max-tokens
  source,  ///< source tokens, when there is nothing to predict
};

struct BatchLimit {
  std::int64_t tokens = 0;  ///< padding included; a longer single sentence is a batch of its own
  BatchSide side = BatchSide::target;
};

/// The batches of one pass over the training data, as members of the set. A pure function of (seed, epoch): sentences
/// are shuffled, sorted by length in chunks so that batches hold alike lengths, cut at the limit, and the batches are
/// shuffled. With a sampling temperature other than 1, an epoch draws as many sentences as the set has, direction
/// by direction with probability ~ size^(1/T), each direction in shuffled rounds.
std::vector<std::vector<std::int64_t>> epoch_batches(const EncodedSet& set, BatchLimit limit,
                                                     double sampling_temperature, std::int64_t seed,
                                                     std::int64_t epoch);

/// Batches for evaluation: all sentences once, longest first, so that padding is small; at most `tokens_per_batch` on
/// either side.
std::vector<std::vector<std::int64_t>> evaluation_batches(const EncodedSet& set, std::int64_t tokens_per_batch);

/// The same for translation, in which targets have no part: at most `tokens_per_batch` source tokens.
std::vector<std::vector<std::int64_t>> translation_batches(const EncodedSet& set, std::int64_t tokens_per_batch);

}  // namespace moe
