#include "data/meanings.h"

#include "core/random.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace moe {
namespace {

constexpr double adjective_share = 0.4;
constexpr double place_share = 0.5;
constexpr double negation_share = 0.2;

/// A word in 0 .. count - 1, the first ones more often: the density falls with rank^(-1/3), so that the rarest word of
/// a small lexicon is still seen often enough to be learnt.
std::int64_t draw_word(RandomStream stream, std::int64_t count) {
  const double position = std::pow(stream.uniform(), 1.5);
  return std::min(count - 1, static_cast<std::int64_t>(position * static_cast<double>(count)));
}

NounPhrase draw_phrase(RandomStream stream, const SyntheticSettings& settings) {
  NounPhrase phrase;
  phrase.noun = draw_word(stream.at(0), settings.nouns);
  if (stream.at(1).uniform() < adjective_share) phrase.adjective = draw_word(stream.at(2), settings.adjectives);
  phrase.plural = stream.at(3).below(2) == 1;
  phrase.definite = stream.at(4).below(2) == 1;
  return phrase;
}

Meaning draw_meaning(RandomStream stream, const SyntheticSettings& settings) {
  Meaning meaning;
  meaning.subject = draw_phrase(stream.at(0), settings);
  meaning.verb = draw_word(stream.at(1), settings.verbs);
  meaning.tense = static_cast<Tense>(stream.at(2).below(3));
  meaning.negated = stream.at(3).uniform() < negation_share;
  meaning.object = draw_phrase(stream.at(4), settings);
  if (stream.at(5).uniform() < place_share) {
    meaning.preposition = stream.at(6).below(synthetic_prepositions);
    meaning.place = draw_phrase(stream.at(7), settings);
  }
  return meaning;
}

}  // namespace

std::vector<Meaning> draw_meanings(const SyntheticSettings& settings, std::int64_t count) {
  const RandomStream stream =
      RandomStream(static_cast<std::uint64_t>(settings.seed)).at(StreamTag::synthetic).at("meanings");
  std::set<Meaning> seen;
  std::vector<Meaning> meanings;
  for (std::int64_t draw = 0; static_cast<std::int64_t>(meanings.size()) < count; ++draw) {
    const Meaning meaning = draw_meaning(stream.at(draw), settings);
    if (seen.insert(meaning).second) meanings.push_back(meaning);
  }
  return meanings;
}

double count_meanings(const SyntheticSettings& settings) {
  const double phrases = static_cast<double>(settings.nouns) * static_cast<double>(settings.adjectives + 1) * 4;
  const double places = 1 + synthetic_prepositions * phrases;
  return phrases * phrases * static_cast<double>(settings.verbs) * 6 * places;
}

}  // namespace moe
