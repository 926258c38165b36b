#include "data/tokenizer.h"

#include "core/error.h"
#include "core/files.h"
#include "data/load_corpus.h"
#include "data/text_files.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

#include <algorithm>

namespace moe {
namespace {

using Ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a sentence comes back as it was", "[data][tokenizer]") {
  const TemporaryFolder folder;
  DataSettings settings = small_synthetic({"aa-ba"});
  Corpus corpus = load_corpus(settings);
  const std::vector<std::string> odd = {"Ein  Hund,\u00a0der “bellt” … ﬁnal ½", " space before and after ", "ÀÉÎ àéî"};
  corpus.train.directions[0].source.insert(corpus.train.directions[0].source.end(), odd.begin(), odd.end());
  const Tokenizer tokenizer(train_tokenizer(settings, corpus, folder.path()));
  CHECK(tokenizer.vocabulary_size() == settings.vocabulary);
  for (const std::vector<std::string>* side :
       {&corpus.train.directions[0].source, &corpus.valid.directions[0].target}) {
    for (const std::string& sentence : *side) CHECK(tokenizer.decode(tokenizer.encode(sentence)) == sentence);
  }
  CHECK(tokenizer.decode(tokenizer.encode("Hund\tbellt")) == "Hund bellt");
  CHECK(tokenizer.encode("").empty());
  CHECK(tokenizer.decode({}).empty());
}

TEST_CASE("special pieces have fixed ids and leave no text", "[data][tokenizer]") {
  const TemporaryFolder folder;
  const DataSettings settings = small_synthetic({"aa-ba", "aa-bb"});
  const Corpus corpus = load_corpus(settings);
  const Tokenizer tokenizer(train_tokenizer(settings, corpus, folder.path()));
  const std::string sentence = corpus.train.directions[1].target[0];
  Ids ids = tokenizer.encode(sentence);
  CHECK(std::all_of(ids.begin(), ids.end(), [](std::int64_t id) { return id > end_id; }));
  ids.insert(ids.begin(), {begin_id, tokenizer.target_tag("bb")});
  ids.insert(ids.end(), {end_id, padding_id, padding_id});
  CHECK(tokenizer.decode(ids) == sentence);
  CHECK(tokenizer.encode("\u4e2d").back() == unknown_id);
  CHECK_THROWS_WITH(tokenizer.decode({200}), "Subword id 200 is outside the vocabulary of 200.");
}

TEST_CASE("target tags exist for several target languages only, and no text spells them", "[data][tokenizer]") {
  CHECK_FALSE(needs_target_tag({{"de-en", "de", "en"}, {"fr-en", "fr", "en"}}));
  CHECK(needs_target_tag({{"de-en", "de", "en"}, {"en-de", "en", "de"}}));

  const TemporaryFolder folder;
  const DataSettings settings = small_synthetic({"aa-ba", "ba-aa"});
  Corpus corpus = load_corpus(settings);
  corpus.train.directions[0].source.emplace_back("a < b, 2 > 1");
  const Tokenizer tokenizer(train_tokenizer(settings, corpus, folder.path()));
  CHECK(tokenizer.target_tag("aa") != tokenizer.target_tag("ba"));
  const Ids spelt = tokenizer.encode("<2ba>");
  CHECK(std::count(spelt.begin(), spelt.end(), tokenizer.target_tag("ba")) == 0);
  CHECK(tokenizer.decode(spelt) == "<2ba>");
  CHECK_THROWS_WITH(tokenizer.target_tag("cc"), "The vocabulary has no tag <2cc>.");

  const DataSettings single = small_synthetic({"aa-ba"});
  const Tokenizer untagged(train_tokenizer(single, load_corpus(single), folder.path()));
  CHECK_THROWS(untagged.target_tag("ba"));
}

TEST_CASE("a vocabulary is trained once and the same every time", "[data][tokenizer]") {
  const TemporaryFolder here, there;
  DataSettings settings = small_synthetic({"aa-ba"});
  const Corpus corpus = load_corpus(settings);
  const std::filesystem::path file = train_tokenizer(settings, corpus, here.path() / "vocabulary");
  const std::filesystem::path other = train_tokenizer(settings, corpus, there.path());
  CHECK(file.filename() == other.filename());
  CHECK(read_file(file) == read_file(other));

  const auto written = std::filesystem::last_write_time(file);
  CHECK(train_tokenizer(settings, corpus, here.path() / "vocabulary") == file);
  CHECK(std::filesystem::last_write_time(file) == written);

  settings.vocabulary = 210;
  CHECK(train_tokenizer(settings, corpus, there.path()).filename() != file.filename());
}

TEST_CASE("a vocabulary of an impossible size names the possible one", "[data][tokenizer]") {
  const TemporaryFolder folder;
  DataSettings settings = small_synthetic({"aa-ba"});
  Corpus corpus = load_corpus(settings);
  corpus.train.directions[0].source = {"abab abab abab"};
  corpus.train.directions[0].target = {"abab"};
  const std::string sentence = "data.vocabulary: found 100, but the training texts give at most ";
  const auto message = [&](std::int64_t size) -> std::string {
    settings.vocabulary = size;
    try {
      train_tokenizer(settings, corpus, folder.path());
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  REQUIRE(message(100).starts_with(sentence));
  const std::int64_t largest = std::stoll(message(100).substr(sentence.size()));
  CHECK(contains(message(largest + 1), fmt::format("at most {} pieces.", largest)));
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK(message(largest).empty());

  // Four specials and the characters space, a and b.
  CHECK(message(6) == "data.vocabulary: found 6, but these texts need at least 7 pieces for their characters.");
  CHECK(message(7).empty());
}

TEST_CASE("a vocabulary learns from the longest word that is allowed, and cuts longer ones", "[data][tokenizer]") {
  const TemporaryFolder folder;
  const DataSettings settings = small_synthetic({"aa-ba"});
  Corpus corpus = load_corpus(settings);
  std::string word;
  for (std::size_t i = 0; i < longest_word; ++i) word += i % 7 % 2 == 0 ? "a" : "e";
  corpus.train.directions[0].source.front() = word + " " + word;
  const Tokenizer tokenizer(train_tokenizer(settings, corpus, folder.path()));
  CHECK(tokenizer.decode(tokenizer.encode(word)) == word);
  for (int i = 0; i < 4; ++i) word += word;  // half a million characters
  CHECK(tokenizer.decode(tokenizer.encode(word)) == word);
}

TEST_CASE("a file that is no model is refused", "[data][tokenizer]") {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "broken.model";
  write_file(file, "not a model");
  CHECK_THROWS_WITH(Tokenizer(file), file.string() + ": is not a SentencePiece model.");
}

TEST_CASE("Multi30k comes back from 8,000 pieces", "[data][tokenizer][multi30k]") {
  const std::optional<DataSettings> settings = multi30k({"de-en"});
  if (!settings) {
    WARN("skipped: no ../shared/data/multi30k");
    return;
  }
  const TemporaryFolder folder;
  const Corpus corpus = load_corpus(*settings);
  const Tokenizer tokenizer(train_tokenizer(*settings, corpus, folder.path()));
  CHECK(tokenizer.vocabulary_size() == 8000);
  const auto wrong = [&](const std::vector<std::string>& lines) {
    return std::count_if(lines.begin(), lines.end(),
                         [&](const std::string& line) { return tokenizer.decode(tokenizer.encode(line)) != line; });
  };
  CHECK(wrong(corpus.train.directions[0].source) == 1);  // the one line with a tabulator
  CHECK(wrong(corpus.train.directions[0].target) == 0);
  CHECK(wrong(corpus.test[0].directions[0].source) == 0);
  CHECK(wrong(corpus.test[0].directions[0].target) == 0);
}

}  // namespace moe
