#pragma once
// How the words of a made-up language come about.
//
// A family has its own sounds and an ancestral lexicon. A member inherits it with one regular sound change (at the
// start of words, a consonant becomes one that the family does not have, so no two words fall together) and replaces
// some stems by its own. Stems are two closed syllables (consonant first and last), suffixes start with a vowel,
// function words are one open syllable: so a word form is taken apart in one way only.

#include "core/random.h"
#include "data/data_settings.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// What the members of a family have in common beside words.
struct Typology {
  enum class Order { subject_verb_object, subject_object_verb, verb_subject_object };
  Order order = Order::subject_verb_object;
  bool adjective_first = true;
  bool preposition = true;     ///< false: postposition
  bool place_first = false;    ///< the place opens the sentence
  bool object_case = false;    ///< nouns that are objects take a case suffix
  bool tense_particle = true;  ///< past and future are words before the verb; false: part of the verb's suffix
  bool negation_first = true;  ///< the negation stands before the verb
};

/// Stems and forms of one language; indices are those of the grammar. All words of a language differ, and so do all
/// suffixes of a paradigm, so a sentence has one reading.
struct Lexicon {
  std::vector<std::string> nouns;
  std::vector<std::string> verbs;
  std::vector<std::string> adjectives;
  std::vector<std::int64_t> noun_class;  ///< 0 or 1: with it articles and adjectives agree
  std::vector<std::string> prepositions;
  std::array<std::array<std::string, 2>, 2> article;  ///< [definite][class]
  std::array<std::string, 3> tense_particle;          ///< [tense]; none in the present
  std::string negation;
  std::array<std::array<std::string, 2>, 2> noun_suffix;       ///< [plural][is object]
  std::array<std::array<std::string, 2>, 2> adjective_suffix;  ///< [class][plural]
  std::array<std::array<std::string, 2>, 3> verb_suffix;       ///< [tense][subject is plural]
};

/// The lexicon of language `name`; `stream` is that of all lexicons of a seed.
Lexicon make_lexicon(const std::string& name, const SyntheticSettings& settings, const Typology& typology,
                     RandomStream stream);

}  // namespace moe
