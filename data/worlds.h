#pragma once
// Known-answer worlds: synthetic data in which the right ordering of strategies is known by construction, so that they
// test the whole pipeline from text to verdict.
//
//   null          64 words with two translations each, drawn with 0.7 / 0.3: nothing to route for
//   senses        two words that name a context, then eight times the same word, which means another word for each
//                 context and place
//   lexicon       a frame word, then words of Zipf frequencies, each translated by word and frame
//   hidden-task   one word, translated by the direction, which the text does not tell
//   scarce-noisy  words with one translation each, of which 30 % are replaced in training
//
// Every source word has a label, the answer to where it should go, that only the router `oracle` may read. The target
// holds informative words alone, so a score can go word by word.

#include "data/corpus.h"
#include "data/data_settings.h"

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// The sets of a world in every direction; a pure function of the settings.
Corpus make_world(const DataSettings& settings, const std::vector<LanguagePair>& directions);

/// Entropy of a draw with 0.7 / 0.3, nats: what no model of `null` can go below per word.
inline constexpr double null_entropy = 0.6108643020548935;

}  // namespace moe
