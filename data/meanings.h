#pragma once
// The grammar of the made-up languages: what a sentence can say, before any language says it.

#include "data/data_settings.h"

#include <compare>
#include <cstdint>
#include <vector>

namespace moe {

inline constexpr std::int64_t synthetic_prepositions = 6;

/// "the small dogs": indices into the lexicon, which is the same for all languages.
struct NounPhrase {
  std::int64_t noun = 0;
  std::int64_t adjective = -1;  ///< -1: none
  bool plural = false;
  bool definite = false;

  auto operator<=>(const NounPhrase&) const = default;
};

enum class Tense : std::int64_t { present, past, future };

/// Who does what to whom, when, whether at all, and where.
struct Meaning {
  NounPhrase subject;
  std::int64_t verb = 0;
  Tense tense = Tense::present;
  bool negated = false;
  NounPhrase object;
  std::int64_t preposition = -1;  ///< -1: no place
  NounPhrase place;

  auto operator<=>(const Meaning&) const = default;
};

/// `count` different meanings. A longer list starts with the shorter one.
std::vector<Meaning> draw_meanings(const SyntheticSettings& settings, std::int64_t count);

/// How many different meanings there are.
double count_meanings(const SyntheticSettings& settings);

}  // namespace moe
