#pragma once
// Encoded sentence pairs without text or tokenizer, small enough to train on in a test.

#include "core/random.h"
#include "data/batches.h"

#include <algorithm>
#include <cstdint>

namespace moe {

/// Ids of tiny_pairs are below this.
inline constexpr std::int64_t tiny_vocabulary = 40;

/// `count` pairs per direction, 2 to 7 words and end_id on either side. LanguagePair d says the source backwards, with
/// every word moved on by d + 1: something to learn, and different for each direction.
inline EncodedSet tiny_pairs(std::int64_t count, std::int64_t directions = 1) {
  constexpr std::int64_t first_word = end_id + 1;
  constexpr std::int64_t words = tiny_vocabulary - first_word;
  const RandomStream stream(7);
  EncodedSet set;
  for (std::int64_t i = 0; i < count * directions; ++i) {
    EncodedPair pair{{}, {}, {}, i / count, i};
    const std::int64_t length = 2 + stream.at(i).at("length").below(6);
    for (std::int64_t position = 0; position < length; ++position) {
      const std::int64_t word = stream.at(i).at(position).below(words);
      pair.source.push_back(first_word + word);
      pair.target.push_back(first_word + (word + pair.direction + 1) % words);
    }
    std::reverse(pair.target.begin(), pair.target.end());
    pair.source.push_back(end_id);
    pair.target.push_back(end_id);
    set.push_back(std::move(pair));
  }
  return set;
}

/// One batch of the first `count` pairs, or of those from `first` on.
inline Batch tiny_batch(const EncodedSet& set, std::int64_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> members;
  for (std::int64_t i = first; i < first + count; ++i) members.push_back(i);
  return make_batch(set, members);
}

}  // namespace moe
