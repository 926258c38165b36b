#include "data/synthetic.h"

#include "core/text.h"
#include "data/language.h"
#include "data/load_corpus.h"
#include "data/meanings.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <map>
#include <set>

namespace moe {
namespace {

std::vector<std::string> all_stems(const std::string& name) {
  const Lexicon lexicon = Language(name, SyntheticSettings()).lexicon();
  std::vector<std::string> stems = lexicon.nouns;
  stems.insert(stems.end(), lexicon.verbs.begin(), lexicon.verbs.end());
  stems.insert(stems.end(), lexicon.adjectives.begin(), lexicon.adjectives.end());
  return stems;
}

/// Share of the concepts for which both languages have the same stem.
double shared_stems(const std::string& a, const std::string& b) {
  const std::vector<std::string> stems_a = all_stems(a), stems_b = all_stems(b);
  std::int64_t same = 0;
  for (std::size_t i = 0; i < stems_a.size(); ++i) same += stems_a[i] == stems_b[i] ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(stems_a.size());
}

std::vector<std::string> set_errors(const DataSettings& settings) {
  ConfigErrors errors;
  check_settings(settings, "data", errors);
  return errors.sentences();
}

}  // namespace

TEST_CASE("a synthetic corpus has the sizes asked for and is the same every time", "[data][synthetic]") {
  DataSettings settings = small_synthetic({"aa-ba", "ab-ba"});
  settings.test = {"test", "test_two"};
  const Corpus corpus = load_corpus(settings);
  CHECK(corpus.train.directions.size() == 2);
  CHECK(corpus.train.directions[0].source.size() == 300);
  CHECK(corpus.valid.directions[1].target.size() == 40);
  REQUIRE(corpus.test.size() == 2);
  CHECK(corpus.test[1].name == "test_two");
  CHECK(corpus.test[1].directions[0].source.size() == 30);
  CHECK(corpus.train.directions[0].target == corpus.train.directions[1].target);
  CHECK(corpus.train.directions[0].source != corpus.train.directions[1].source);

  CHECK(corpus_digest(settings, load_corpus(settings)) == corpus_digest(settings, corpus));
  settings.synthetic.seed = 2;
  CHECK(corpus_digest(settings, load_corpus(settings)) != corpus_digest(settings, corpus));
}

TEST_CASE("sets share no sentence, and the size of training moves no other set", "[data][synthetic]") {
  DataSettings settings = small_synthetic({"aa-ba"});
  settings.test = {"test", "test_two"};
  const Corpus corpus = load_corpus(settings);
  std::set<std::string> seen;
  std::size_t sentences = 0;
  for (const TextSet* set : {&corpus.train, &corpus.valid, &corpus.test[0], &corpus.test[1]}) {
    const std::vector<std::string>& lines = set->directions[0].source;
    seen.insert(lines.begin(), lines.end());
    sentences += lines.size();
  }
  CHECK(seen.size() == sentences);

  settings.synthetic.train_sentences = 500;
  const Corpus longer = load_corpus(settings);
  CHECK(longer.test[1].directions[0].target == corpus.test[1].directions[0].target);
  CHECK(std::equal(corpus.train.directions[0].source.begin(), corpus.train.directions[0].source.end(),
                   longer.train.directions[0].source.begin()));
}

TEST_CASE("each language says different meanings differently", "[data][synthetic]") {
  SyntheticSettings settings;
  settings.nouns = 3;  // a small lexicon, so that meanings lie close together
  settings.verbs = 2;
  settings.adjectives = 2;
  const std::vector<Meaning> meanings = draw_meanings(settings, 20000);
  // Six families cover all typologies.
  for (const char* name : {"aa", "ba", "ca", "da", "ea", "fa", "ab"}) {
    const Language language(name, settings);
    std::set<std::string> sentences;
    for (const Meaning& meaning : meanings) sentences.insert(language.render(meaning));
    CHECK(sentences.size() == meanings.size());
  }
}

TEST_CASE("relatives share most stems, strangers none to speak of", "[data][synthetic]") {
  for (const std::string relative : {"ab", "ac", "az"}) {
    CHECK(shared_stems("aa", relative) > 0.5);
    CHECK(shared_stems("aa", relative) < 0.95);
    CHECK(shared_stems("aa", "b" + relative.substr(1)) < 0.05);
  }
  for (const char* name : {"aa", "ab", "ba"}) {
    const std::vector<std::string> stems = all_stems(name);
    CHECK(std::set<std::string>(stems.begin(), stems.end()).size() == stems.size());
  }
  CHECK(Language("aa", {}).typology().order == Language("ab", {}).typology().order);
  CHECK(Language("aa", {}).typology().order != Language("ba", {}).typology().order);
  CHECK(Language("aa", {}).typology().adjective_first != Language("ba", {}).typology().adjective_first);
}

TEST_CASE("words agree", "[data][synthetic]") {
  const Language language("aa", {});
  const Lexicon& lexicon = language.lexicon();
  Meaning meaning;
  const auto word_with = [&](const std::string& stem) {
    for (const std::string& word : split(language.render(meaning), ' ')) {
      if (word.starts_with(stem)) return word.substr(stem.size());
    }
    return std::string("missing");
  };
  // The verb follows the number of the subject, not that of the object.
  const std::string singular = word_with(lexicon.verbs[0]);
  meaning.object.plural = true;
  CHECK(word_with(lexicon.verbs[0]) == singular);
  meaning.subject.plural = true;
  CHECK(word_with(lexicon.verbs[0]) != singular);

  // The adjective follows class and number of its noun.
  meaning.object.noun = 1;
  meaning.subject.adjective = 2;
  std::set<std::string> endings;
  for (const std::int64_t noun_class : {0, 1}) {
    const auto found = std::find(lexicon.noun_class.begin(), lexicon.noun_class.end(), noun_class);
    REQUIRE(found != lexicon.noun_class.end());
    meaning.subject.noun = found - lexicon.noun_class.begin();
    for (const bool plural : {false, true}) {
      meaning.subject.plural = plural;
      endings.insert(word_with(lexicon.adjectives[2]));
    }
  }
  CHECK(endings.size() == 4);
}

TEST_CASE("sentences are lower-case words of the length of short real ones", "[data][synthetic]") {
  const Corpus corpus = load_corpus(small_synthetic({"aa-ba"}));
  std::size_t words = 0;
  for (const std::string& sentence : corpus.train.directions[0].source) {
    const std::size_t count = split(sentence, ' ').size();
    CHECK((count >= 5 && count <= 13));
    words += count;
    CHECK(std::all_of(sentence.begin(), sentence.end(), [](char c) { return c == ' ' || (c >= 'a' && c <= 'z'); }));
  }
  CHECK(words / corpus.train.directions[0].source.size() == 8);
}

TEST_CASE("synthetic settings that cannot be met are named", "[data][synthetic]") {
  DataSettings settings = small_synthetic({"aa-deu", "Aa-ab"});
  REQUIRE(set_errors(settings).size() == 2);
  CHECK(contains(set_errors(settings)[0], "data.directions: \"deu\" is no synthetic language"));
  CHECK(contains(set_errors(settings)[1], "\"Aa\" is no synthetic language"));

  settings = small_synthetic({"aa-ba"});
  CHECK(set_errors(settings).empty());
  settings.synthetic.nouns = 2;
  settings.synthetic.verbs = 1;
  settings.synthetic.adjectives = 1;
  settings.synthetic.train_sentences = 100000;
  // 2 nouns x (1 + 1 adjective) x number x article = 16 phrases; 16 x 1 verb x 6 x 16 x (1 + 6 x 16 places) = 148,992.
  CHECK(set_errors(settings) == std::vector<std::string>{"data.synthetic: found 100070 sentences in all sets, but so "
                                                         "small a lexicon gives at most 74496."});
}

}  // namespace moe
