#include "data/language.h"

#include "core/random.h"
#include "core/text.h"

#include <array>

namespace moe {
namespace {

void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

/// Families that follow each other in the alphabet differ in word order and in the place of the adjective.
Typology make_typology(char family, RandomStream stream) {
  const std::int64_t kind = (family - 'a') + stream.at("typology").below(6);
  Typology typology;
  typology.order = static_cast<Typology::Order>(kind % 3);
  typology.adjective_first = kind % 2 == 0;
  typology.preposition = typology.order != Typology::Order::subject_object_verb;
  typology.place_first = typology.order == Typology::Order::subject_object_verb;
  typology.object_case = typology.order != Typology::Order::subject_verb_object;
  typology.tense_particle = kind % 2 == 0;
  typology.negation_first = kind / 3 % 2 == 0;
  return typology;
}

}  // namespace

Language::Language(const std::string& name, const SyntheticSettings& settings) {
  const RandomStream stream = RandomStream(static_cast<std::uint64_t>(settings.seed)).at(StreamTag::synthetic);
  typology_ = make_typology(name[0], stream);
  lexicon_ = make_lexicon(name, settings, typology_, stream.at("lexicon"));
}

Language::Words Language::noun_phrase(const NounPhrase& phrase, bool is_object) const {
  const auto noun = static_cast<std::size_t>(phrase.noun);
  const auto noun_class = static_cast<std::size_t>(lexicon_.noun_class[noun]);
  Words words{lexicon_.article[phrase.definite][noun_class],
              lexicon_.nouns[noun] + lexicon_.noun_suffix[phrase.plural][is_object]};
  if (phrase.adjective >= 0) {
    const std::string& stem = lexicon_.adjectives[static_cast<std::size_t>(phrase.adjective)];
    words.insert(typology_.adjective_first ? words.begin() + 1 : words.end(),
                 stem + lexicon_.adjective_suffix[noun_class][phrase.plural]);
  }
  return words;
}

Language::Words Language::verb_group(const Meaning& meaning) const {
  const auto tense = static_cast<std::size_t>(meaning.tense);
  Words words;
  if (!lexicon_.tense_particle[tense].empty()) words.push_back(lexicon_.tense_particle[tense]);
  if (meaning.negated && typology_.negation_first) words.push_back(lexicon_.negation);
  words.push_back(lexicon_.verbs[static_cast<std::size_t>(meaning.verb)] +
                  lexicon_.verb_suffix[tense][meaning.subject.plural]);
  if (meaning.negated && !typology_.negation_first) words.push_back(lexicon_.negation);
  return words;
}

Language::Words Language::place(const Meaning& meaning) const {
  if (meaning.preposition < 0) return {};
  Words words = noun_phrase(meaning.place, false);
  const std::string& preposition = lexicon_.prepositions[static_cast<std::size_t>(meaning.preposition)];
  words.insert(typology_.preposition ? words.begin() : words.end(), preposition);
  return words;
}

std::string Language::render(const Meaning& meaning) const {
  const Words subject = noun_phrase(meaning.subject, false);
  const Words verb = verb_group(meaning);
  const Words object = noun_phrase(meaning.object, true);
  const std::array<std::array<const Words*, 3>, 3> orders = {
      {{&subject, &verb, &object}, {&subject, &object, &verb}, {&verb, &subject, &object}}};
  Words words;
  if (typology_.place_first) append(words, place(meaning));
  for (const Words* part : orders[static_cast<std::size_t>(typology_.order)]) append(words, *part);
  if (!typology_.place_first) append(words, place(meaning));
  return join(words, " ");
}

}  // namespace moe
