#include "data/worlds.h"

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "data/shuffle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace moe {
namespace {

constexpr std::int64_t words_per_sentence = 8;
constexpr std::int64_t lexicon_words = 64;
constexpr double first_translation = 0.7;
constexpr double noise_in_training = 0.3;

/// One sentence as it is made up.
struct Sentence {
  std::vector<std::string> source, target;
  std::vector<std::int64_t> label;  ///< of each source word
};

/// The translation of each row and column, such that in a row, and in a column, each stands once.
class LatinSquare {
 public:
  LatinSquare(std::int64_t size, const RandomStream& laws) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(size));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    row_of_ = shuffled(order, laws.at("words"));
    name_of_ = shuffled(order, laws.at("translations"));
  }

  std::int64_t at(std::int64_t row, std::int64_t column) const {
    const std::int64_t cell = (row_of_[static_cast<std::size_t>(row)] + column) % std::ssize(name_of_);
    return name_of_[static_cast<std::size_t>(cell)];
  }

 private:
  std::vector<std::int64_t> row_of_, name_of_;
};

/// What a sentence is made from. `draw`, `direction` and `training` are the sentence's own, the rest is its world's.
struct Maker {
  RandomStream laws{0}, draw{0};
  const LatinSquare& square;
  const SyntheticSettings& sizes;
  std::int64_t direction = 0;
  bool training = false;
};

std::string source_word(std::int64_t word) {
  return fmt::format("s{}", word);
}
std::string target_word(std::int64_t word) {
  return fmt::format("t{}", word);
}

Sentence null_sentence(const Maker& make) {
  Sentence sentence;
  for (std::int64_t i = 0; i < words_per_sentence; ++i) {
    const RandomStream place = make.draw.at(i);
    const std::int64_t word = place.at("word").below(lexicon_words);
    const bool first = place.at("translation").uniform() < first_translation;
    sentence.source.push_back(source_word(word));
    sentence.target.push_back(target_word(2 * word + (first ? 0 : 1)));
    sentence.label.push_back(word);
  }
  return sentence;
}

/// Two words name the context: the vector of a single one could hold all eight answers, and no expert would be needed.
Sentence senses_sentence(const Maker& make) {
  const std::int64_t context = make.draw.below(make.sizes.contexts);
  const auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(make.sizes.contexts))));
  Sentence sentence{{fmt::format("a{}", context / side), fmt::format("b{}", context % side)}, {}, {context, context}};
  for (std::int64_t i = 0; i < words_per_sentence; ++i) {
    sentence.source.emplace_back("x");
    sentence.target.push_back(target_word(make.laws.at(context).at(i).below(lexicon_words)));
    sentence.label.push_back(context);
  }
  return sentence;
}

/// Word n of `count` with probability ~ 1 / (n + 1).
std::int64_t zipf(const RandomStream& stream, std::int64_t count) {
  double total = 0;
  for (std::int64_t n = 1; n <= count; ++n) total += 1.0 / static_cast<double>(n);
  double left = stream.uniform() * total;
  for (std::int64_t n = 0; n < count; ++n) {
    left -= 1.0 / static_cast<double>(n + 1);
    if (left < 0) return n;
  }
  return count - 1;
}

/// A frame and words whose translations depend on it. A quarter of the sentences has the first frame: were all equally
/// rare, to know the source word alone would tell nothing, and attention would find it late or, for some seeds, never.
Sentence lexicon_sentence(const Maker& make) {
  const bool is_plain = make.draw.at("plain").uniform() < 0.25;
  const std::int64_t frame = is_plain ? 0 : make.draw.at("frame").below(make.sizes.contexts);
  Sentence sentence{{fmt::format("c{}", frame)}, {}, {frame}};
  for (std::int64_t i = 0; i < words_per_sentence; ++i) {
    const std::int64_t word = zipf(make.draw.at(i), lexicon_words);
    sentence.source.push_back(source_word(word));
    sentence.target.push_back(target_word(make.laws.at(word).at(frame).below(lexicon_words)));
    sentence.label.push_back(word);
  }
  return sentence;
}

Sentence hidden_task_sentence(const Maker& make) {
  const std::int64_t word = make.draw.below(make.sizes.contexts);
  return {{source_word(word)}, {target_word(make.square.at(word, make.direction))}, {make.direction}};
}

Sentence scarce_noisy_sentence(const Maker& make) {
  Sentence sentence;
  for (std::int64_t i = 0; i < words_per_sentence; ++i) {
    const RandomStream place = make.draw.at(i);
    const std::int64_t word = place.at("word").below(lexicon_words);
    const bool replaced = make.training && place.at("noise").uniform() < noise_in_training;
    sentence.source.push_back(source_word(word));
    sentence.target.push_back(target_word(replaced ? place.at("replacement").below(lexicon_words) : word));
    sentence.label.push_back(word);
  }
  return sentence;
}

const std::map<std::string, Sentence (*)(const Maker&)>& worlds() {
  static const std::map<std::string, Sentence (*)(const Maker&)> makers = {{"null", null_sentence},
                                                                           {"senses", senses_sentence},
                                                                           {"lexicon", lexicon_sentence},
                                                                           {"hidden-task", hidden_task_sentence},
                                                                           {"scarce-noisy", scarce_noisy_sentence}};
  return makers;
}

}  // namespace

Corpus make_world(const DataSettings& settings, const std::vector<LanguagePair>& directions) {
  const auto found = worlds().find(settings.world);
  MOE_CHECK(found != worlds().end(), "There is no world \"{}\".", settings.world);
  const SyntheticSettings& sizes = settings.synthetic;
  const RandomStream world = RandomStream(static_cast<std::uint64_t>(sizes.seed)).at(StreamTag::synthetic).at("world");
  const RandomStream laws = world.at("laws");
  const LatinSquare square(sizes.contexts, laws);
  const auto make_set = [&](const std::string& name, std::int64_t count, bool training) {
    TextSet set{name, {}};
    for (std::size_t d = 0; d < directions.size(); ++d) {
      ParallelText text;
      for (std::int64_t i = 0; i < count; ++i) {
        const RandomStream draw = world.at(name).at(static_cast<std::uint64_t>(d)).at(i);
        const Sentence sentence = found->second({laws, draw, square, sizes, static_cast<std::int64_t>(d), training});
        text.source.push_back(join(sentence.source, " "));
        text.target.push_back(join(sentence.target, " "));
        text.label.push_back(sentence.label);
      }
      set.directions.push_back(std::move(text));
    }
    return set;
  };
  Corpus corpus;
  corpus.directions = directions;
  corpus.valid = make_set(settings.valid, sizes.valid_sentences, false);
  for (const std::string& name : settings.test) corpus.test.push_back(make_set(name, sizes.test_sentences, false));
  corpus.train = make_set(settings.train, sizes.train_sentences, true);
  return corpus;
}

}  // namespace moe
