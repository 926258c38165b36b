#include "data/worlds.h"

#include "core/temporary_folder.h"
#include "core/text.h"
#include "data/batches.h"
#include "data/load_corpus.h"
#include "data/tokenizer.h"
#include "tests/support/catch.h"

#include <cmath>
#include <map>
#include <set>

namespace moe {
namespace {

DataSettings settings_of(const std::string& world, std::int64_t sentences = 500) {
  DataSettings settings;
  settings.source = "synthetic";
  settings.world = world;
  settings.directions = {"aa-ba"};
  settings.synthetic.train_sentences = sentences;
  settings.synthetic.valid_sentences = 20;
  settings.synthetic.test_sentences = 50;
  settings.synthetic.contexts = 16;
  return settings;
}

/// Every (words that decide, translation) of a set; the deciding words by `key`(source words, place of the target
/// word).
template <class Key>
std::map<std::string, std::map<std::string, int>> translations(const TextSet& set, Key key) {
  std::map<std::string, std::map<std::string, int>> seen;
  for (std::size_t d = 0; d < set.directions.size(); ++d) {
    const ParallelText& text = set.directions[d];
    for (std::size_t i = 0; i < text.source.size(); ++i) {
      const std::vector<std::string> source = split(text.source[i], ' '), target = split(text.target[i], ' ');
      REQUIRE(text.label[i].size() == source.size());
      for (std::size_t place = 0; place < target.size(); ++place) ++seen[key(d, source, place)][target[place]];
    }
  }
  return seen;
}

bool is_function(const std::map<std::string, std::map<std::string, int>>& seen) {
  for (const auto& [key, values] : seen) {
    if (values.size() != 1) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("each world has one right answer for what decides it, and several without that") {
  const auto word = [](std::size_t, const auto& source, std::size_t place) { return source[place]; };
  const auto after_one = [](std::size_t, const auto& source, std::size_t place) { return source[place + 1]; };
  const auto after_two = [](std::size_t, const auto& source, std::size_t place) { return source[place + 2]; };
  const auto half_a_context = [](std::size_t, const auto& source, std::size_t place) {
    return source[0] + "/" + std::to_string(place);
  };
  const auto context_and_place = [](std::size_t, const auto& source, std::size_t place) {
    return source[0] + "/" + source[1] + "/" + std::to_string(place);
  };
  const auto context_and_word = [](std::size_t, const auto& source, std::size_t place) {
    return source[0] + "/" + source[place + 1];
  };
  const TextSet senses = load_corpus(settings_of("senses")).train;
  CHECK(is_function(translations(senses, context_and_place)));
  CHECK_FALSE(is_function(translations(senses, half_a_context)));
  CHECK(translations(senses, after_two).size() == 1);
  CHECK(translations(senses, after_two).at("x").size() > 32);

  const TextSet lexicon = load_corpus(settings_of("lexicon")).train;
  CHECK(is_function(translations(lexicon, context_and_word)));
  CHECK_FALSE(is_function(translations(lexicon, after_one)));

  const Corpus noisy = load_corpus(settings_of("scarce-noisy"));
  CHECK(is_function(translations(noisy.test[0], word)));
  CHECK_FALSE(is_function(translations(noisy.train, word)));
}

TEST_CASE("in null, a word's two translations stand 7 to 3, and labels tell nothing of which") {
  const TextSet train = load_corpus(settings_of("null", 5000)).train;
  const auto word = [](std::size_t, const auto& source, std::size_t place) { return source[place]; };
  double first = 0, all = 0;
  for (const auto& [source, targets] : translations(train, word)) {
    CHECK(targets.size() == 2);
    for (const auto& [target, count] : targets) {
      all += count;
      if (std::stoi(target.substr(1)) % 2 == 0) first += count;
    }
  }
  CHECK(first / all == Approx(0.7).margin(4 * std::sqrt(0.21 / all)));
  CHECK(null_entropy == Approx(-0.7 * std::log(0.7) - 0.3 * std::log(0.3)).margin(1e-12));
}

TEST_CASE("hidden-task is a Latin square over directions and words, and its labels are the directions") {
  DataSettings settings = settings_of("hidden-task");
  settings.directions.clear();
  for (const char* source : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    settings.directions.push_back(std::string(source) + "a-zz");
  }
  const Corpus corpus = load_corpus(settings);
  CHECK_FALSE(needs_target_tag(corpus.directions));
  const auto task_and_word = [](std::size_t d, const auto& source, std::size_t) {
    return std::to_string(d) + "/" + source[0];
  };
  const auto word = [](std::size_t, const auto& source, std::size_t) { return source[0]; };
  CHECK(is_function(translations(corpus.train, task_and_word)));
  for (const auto& [source, targets] : translations(corpus.train, word)) CHECK(targets.size() == 8);
  CHECK(corpus.train.directions[3].label[0] == std::vector<std::int64_t>{3});
}

TEST_CASE("worlds are the same when made again, other with another seed, and sets differ") {
  const Corpus first = load_corpus(settings_of("senses"));
  CHECK(first.train.directions[0].source == load_corpus(settings_of("senses")).train.directions[0].source);
  DataSettings other = settings_of("senses");
  other.synthetic.seed = 2;
  CHECK(first.train.directions[0].source != load_corpus(other).train.directions[0].source);
  CHECK(first.valid.directions[0].source[0] != first.test[0].directions[0].source[0]);
}

TEST_CASE("words of a world are single tokens, and labels reach the batch beside them") {
  const TemporaryFolder folder;
  const DataSettings settings = settings_of("lexicon");
  const Corpus corpus = load_corpus(settings);
  const Tokenizer tokenizer(train_tokenizer(settings, corpus, folder.path()));
  CHECK(tokenizer.vocabulary_size() < 4 + 16 + 64 + 64 + 1);
  const EncodedSet set = encode_set(corpus, corpus.test[0], tokenizer, 0);
  const ParallelText& text = corpus.test[0].directions[0];
  CHECK(set[0].source.size() == 10);
  CHECK(tokenizer.decode(set[0].target) == text.target[0]);
  std::vector<std::int64_t> expected = text.label[0];
  expected.push_back(-1);
  CHECK(set[0].label == expected);
  CHECK(make_batch(set, {0, 1}).source_label.size() == 20);
  CHECK(make_batch(set, {0}).source_label == expected);
}

}  // namespace moe
