#include "data/lexicon.h"

#include "data/meanings.h"
#include "data/shuffle.h"

#include <algorithm>
#include <set>

namespace moe {
namespace {

constexpr double own_stem_share = 0.15;
constexpr std::size_t family_consonants = 9;
constexpr std::size_t family_vowels = 4;

struct Sounds {
  std::string consonants;
  std::string vowels;
};

char draw_sound(const std::string& sounds, RandomStream stream) {
  return sounds[static_cast<std::size_t>(stream.below(static_cast<std::int64_t>(sounds.size())))];
}

std::string draw_stem(const Sounds& sounds, RandomStream stream) {
  std::string stem{draw_sound(sounds.consonants, stream.at(0)), draw_sound(sounds.vowels, stream.at(1)),
                   draw_sound(sounds.consonants, stream.at(2))};
  if (stream.at(3).uniform() < 0.4) stem += draw_sound(sounds.consonants, stream.at(4));
  stem += draw_sound(sounds.vowels, stream.at(5));
  stem += draw_sound(sounds.consonants, stream.at(6));
  return stem;
}

/// A stem that is not in `used` yet, and is from now on.
std::string new_stem(const Sounds& sounds, RandomStream stream, std::set<std::string>& used) {
  for (int attempt = 0;; ++attempt) {
    const std::string stem = draw_stem(sounds, stream.at(attempt));
    if (used.insert(stem).second) return stem;
  }
}

/// Hands out the short forms of a family one after the other, each once.
class Forms {
 public:
  explicit Forms(std::vector<std::string> forms) : forms_(std::move(forms)) {}
  std::string next() { return forms_.at(next_++); }

 private:
  std::vector<std::string> forms_;
  std::size_t next_ = 0;
};

struct Family {
  Sounds sounds;
  std::string spare_consonants;  ///< those it lacks
  std::vector<std::string> stems;
  std::vector<std::string> open;    ///< consonant and vowel, shuffled: function words
  std::vector<std::string> closed;  ///< vowel and consonant, shuffled: suffixes
};

Family make_family(std::size_t stem_count, RandomStream stream) {
  const std::string consonants = shuffled(std::string("bdfghjklmnprstvz"), stream.at("consonants"));
  Family family;
  family.sounds.consonants = consonants.substr(0, family_consonants);
  family.sounds.vowels = shuffled(std::string("aeiou"), stream.at("vowels")).substr(0, family_vowels);
  family.spare_consonants = consonants.substr(family_consonants);
  for (const char consonant : family.sounds.consonants) {
    for (const char vowel : family.sounds.vowels) {
      family.open.push_back({consonant, vowel});
      family.closed.push_back({vowel, consonant});
    }
  }
  family.open = shuffled(family.open, stream.at("open"));
  family.closed = shuffled(family.closed, stream.at("closed"));
  std::set<std::string> used;
  for (std::size_t i = 0; i < stem_count; ++i) {
    family.stems.push_back(new_stem(family.sounds, stream.at("stem").at(i), used));
  }
  return family;
}

/// The member's own state of the family: sounds changed, some stems replaced.
Family descend(Family family, RandomStream stream) {
  const char before = draw_sound(family.sounds.consonants, stream.at("before"));
  const char after = draw_sound(family.spare_consonants, stream.at("after"));
  for (std::vector<std::string>* words : {&family.stems, &family.open}) {
    for (std::string& word : *words) {
      if (word.front() == before) word.front() = after;
    }
  }
  std::set<std::string> used(family.stems.begin(), family.stems.end());
  for (std::size_t i = 0; i < family.stems.size(); ++i) {
    const RandomStream draw = stream.at("own").at(i);
    if (draw.uniform() < own_stem_share) family.stems[i] = new_stem(family.sounds, draw, used);
  }
  return family;
}

void fill_function_words(Lexicon& lexicon, const Typology& typology, Forms open) {
  for (auto& by_class : lexicon.article) {
    for (std::string& form : by_class) form = open.next();
  }
  lexicon.negation = open.next();
  if (typology.tense_particle) {
    lexicon.tense_particle = {"", open.next(), open.next()};
  }
  for (std::int64_t i = 0; i < synthetic_prepositions; ++i) lexicon.prepositions.push_back(open.next());
}

void fill_suffixes(Lexicon& lexicon, const Typology& typology, Forms closed) {
  const std::string plural = closed.next();
  lexicon.noun_suffix = {{{"", ""}, {plural, plural}}};
  if (typology.object_case) {
    lexicon.noun_suffix[0][1] = closed.next();
    lexicon.noun_suffix[1][1] = closed.next();
  }
  for (auto& by_number : lexicon.adjective_suffix) {
    for (std::string& form : by_number) form = closed.next();
  }
  lexicon.verb_suffix[0] = {closed.next(), closed.next()};
  for (std::size_t tense = 1; tense < 3; ++tense) {
    lexicon.verb_suffix[tense] = lexicon.verb_suffix[0];
    if (!typology.tense_particle) lexicon.verb_suffix[tense] = {closed.next(), closed.next()};
  }
}

}  // namespace

Lexicon make_lexicon(const std::string& name, const SyntheticSettings& settings, const Typology& typology,
                     RandomStream stream) {
  const auto nouns = settings.nouns, verbs = settings.verbs, adjectives = settings.adjectives;
  const RandomStream family_stream = stream.at(static_cast<std::int64_t>(name[0]));
  const Family language = descend(make_family(static_cast<std::size_t>(nouns + verbs + adjectives), family_stream),
                                  family_stream.at("member").at(static_cast<std::int64_t>(name[1])));
  Lexicon lexicon;
  const auto first = language.stems.begin();
  lexicon.nouns.assign(first, first + nouns);
  lexicon.verbs.assign(first + nouns, first + nouns + verbs);
  lexicon.adjectives.assign(first + nouns + verbs, language.stems.end());
  for (std::int64_t i = 0; i < nouns; ++i) lexicon.noun_class.push_back(family_stream.at("class").at(i).below(2));
  fill_function_words(lexicon, typology, Forms(language.open));
  fill_suffixes(lexicon, typology, Forms(language.closed));
  return lexicon;
}

}  // namespace moe
