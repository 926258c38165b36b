#include "data/corpus.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/data_settings.h"
#include "data/load_corpus.h"
#include "data/text_corpus.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

namespace moe {
namespace {

std::vector<std::string> settings_errors(const DataSettings& settings) {
  ConfigErrors errors;
  check_settings(settings, "data", errors);
  return errors.sentences();
}

std::vector<std::string> data_errors(const DataSettings& settings) {
  ConfigErrors errors;
  check_data(settings, "data", errors);
  return errors.sentences();
}

/// A folder with train, val and test in de and en, two lines each.
DataSettings small_text(const TemporaryFolder& folder) {
  DataSettings settings;
  settings.root = folder.path().string();
  for (const char* split : {"train", "val", "test"}) {
    write_file(folder.path() / (std::string(split) + ".de"), "ein Hund\nzwei Hunde\n");
    write_file(folder.path() / (std::string(split) + ".en"), "a dog\ntwo dogs\n");
  }
  return settings;
}

}  // namespace

TEST_CASE("the settings of the data section are read by their keys", "[data][corpus]") {
  DataSettings settings;
  ConfigErrors errors;
  read_settings(settings, Json::parse(R"({"source": "synthetic", "directions": ["aa-ba"], "sampling_temperature": 5,
                                "synthetic": {"nouns": 12}})"),
                "data", errors);
  CHECK(errors.empty());
  CHECK(settings.source == "synthetic");
  CHECK(settings.directions == std::vector<std::string>{"aa-ba"});
  CHECK(settings.sampling_temperature == 5.0);
  CHECK(settings.synthetic.nouns == 12);
  CHECK(settings.synthetic.verbs == 30);

  read_settings(settings, Json::parse(R"({"source": "texts", "vocabulary": 3, "sampling_temperature": 0})"), "data",
                errors);
  CHECK(errors.sentences().size() == 3);
}

TEST_CASE("every wrong setting is named", "[data][corpus]") {
  DataSettings settings;
  settings.root = "somewhere";
  CHECK(settings_errors(settings).empty());

  settings.root = "";
  settings.directions = {"deen", "de-de", "fr-en", "fr-en"};
  settings.test = {"test", "train", "a/b"};
  const std::string errors = join(settings_errors(settings), "\n");
  CHECK(settings_errors(settings).size() == 6);
  CHECK(contains(errors, "data.root: source \"text\" needs the folder"));
  CHECK(contains(errors, "data.directions: found \"deen\", expected SOURCE-TARGET"));
  CHECK(contains(errors, "data.directions: found \"de-de\""));
  CHECK(contains(errors, "data.directions: \"fr-en\" stands there twice."));
  CHECK(contains(errors, "data.test: \"train\" is the training set."));
  CHECK(contains(errors, "data.test: found \"a/b\""));

  settings.valid = settings.train;
  CHECK(contains(join(settings_errors(settings), "\n"), "data.valid: \"train\" is the training set."));
  settings.directions.clear();
  settings.test.clear();
  CHECK(contains(join(settings_errors(settings), "\n"), "data.directions: found none"));
  CHECK(contains(join(settings_errors(settings), "\n"), "data.test: found none"));
}

TEST_CASE("text files are read line by line", "[data][corpus]") {
  const TemporaryFolder folder;
  DataSettings settings = small_text(folder);
  settings.directions = {"de-en", "en-de"};
  // No newline at the end, an empty line, and characters that only look like line ends.
  write_file(folder.path() / "train.de", "eins\n\nzwei\u2028dr\rei\nvier");
  write_file(folder.path() / "train.en", "one\n\ntwo\u0085three\nfour\n");
  CHECK(settings_errors(settings).empty());
  CHECK(data_errors(settings).empty());

  const Corpus corpus = load_corpus(settings);
  REQUIRE(corpus.directions.size() == 2);
  CHECK(corpus.directions[1].source == "en");
  CHECK(corpus.directions[1].target == "de");
  CHECK(corpus.train.directions[0].source == std::vector<std::string>{"eins", "", "zwei\u2028dr\rei", "vier"});
  CHECK(corpus.train.directions[0].target == std::vector<std::string>{"one", "", "two\u0085three", "four"});
  CHECK(corpus.train.directions[1].source == corpus.train.directions[0].target);
  CHECK(corpus.valid.name == "val");
  REQUIRE(corpus.test.size() == 1);
  CHECK(corpus.test[0].directions[0].target == std::vector<std::string>{"a dog", "two dogs"});
}

TEST_CASE("languages have a script and a region, in the names of files too", "[data][corpus]") {
  const TemporaryFolder folder;
  DataSettings settings;
  settings.root = folder.path().string();
  settings.directions = {"pt-BR-sr-Latn"};
  for (const char* split : {"train", "val", "test"}) {
    write_file(folder.path() / (std::string(split) + ".pt-BR"), "um\n");
    write_file(folder.path() / (std::string(split) + ".sr-Latn"), "jedan\n");
  }
  CHECK(settings_errors(settings).empty());
  CHECK(data_errors(settings).empty());
  CHECK(load_corpus(settings).test[0].directions[0].target == std::vector<std::string>{"jedan"});

  settings.directions = {"pt-br-en"};
  CHECK(settings_errors(settings) ==
        std::vector<std::string>{"data.directions: found \"pt-br-en\", expected SOURCE-TARGET with two different "
                                 "languages of letters, digits and _, such as \"de-en\", or with script and region as "
                                 "in \"pt-BR-en\" and \"sr-Latn-sr-Cyrl\"."});
}

TEST_CASE("a test set is not named as the translations of a draw are", "[data][corpus]") {
  DataSettings settings;
  settings.root = "somewhere";
  settings.test = {"test", "test.draw1", "draw1", "test.draw", "test.draw1b", "x.draw007"};
  const auto sentence = [](const std::string& name) {
    return "data.test: found \"" + name +
           "\", expected a name that does not end in \".draw\" and a number: files of translations of another draw are "
           "named so.";
  };
  CHECK(settings_errors(settings) == std::vector<std::string>{sentence("test.draw1"), sentence("x.draw007")});
}

TEST_CASE("Windows line ends and byte order marks change nothing but a note", "[data][corpus]") {
  const TemporaryFolder unix, windows;
  DataSettings settings = small_text(unix);
  const Corpus expected = load_corpus(settings);
  const std::string digest = corpus_digest(settings, expected);

  settings = small_text(windows);
  settings.directions = {"de-en", "en-de"};  // each file is read once
  const std::string root = windows.path().string() + "/";
  write_file(root + "train.de", "ein Hund\r\nzwei Hunde\r\n");
  write_file(root + "test.en",
             "\xEF\xBB\xBF"
             "a dog\ntwo dogs\n");
  ConfigErrors errors;
  std::vector<std::string> notes;
  check_data(settings, "data", errors, notes);
  CHECK(errors.empty());
  CHECK(notes == std::vector<std::string>{root + "train.de: left out carriage returns of Windows line ends.",
                                          root + "test.en: left out a byte order mark."});
  settings.directions = {"de-en"};
  CHECK(corpus_digest(settings, load_corpus(settings)) == digest);

  write_file(root + "val.de", "ein Hund\rzwei Hunde\r");
  CHECK(data_errors(settings) == std::vector<std::string>{root + "val.de: lines end with U+000D alone, expected U+000A "
                                                                 "or, as on Windows, U+000D and U+000A."});
}

TEST_CASE("a word that SentencePiece could not learn from is named with its line", "[data][corpus]") {
  const TemporaryFolder folder;
  const DataSettings settings = small_text(folder);
  const std::string root = folder.path().string() + "/";
  std::string longest;  // of characters, not of bytes
  for (int i = 0; i < 16384; ++i) longest += "u\u00fc";
  write_file(root + "train.de", longest + " " + longest + "\t" + longest + "\nzwei Hunde\n");
  write_file(root + "val.de", longest + "x\nzwei Hunde\n");  // is cut, and teaches nothing
  CHECK(data_errors(settings).empty());

  write_file(root + "train.de", "ein Hund\nzwei " + longest + "x\n");
  const std::string sentence =
      root + "train.de:2: too long for SentencePiece, 32769 characters without a space where at most 32768 are allowed";
  CHECK(data_errors(settings) == std::vector<std::string>{sentence + "."});
  write_file(root + "train.de", "ein Hund\nzwei " + longest + "x\n" + longest + "yy\n");
  CHECK(data_errors(settings).front() == sentence + "; so are 1 more lines of the file.");
}

TEST_CASE("each file has its digest, by which a changed one is found", "[data][corpus]") {
  const TemporaryFolder folder;
  DataSettings settings = small_text(folder);
  settings.directions = {"de-en", "en-de"};
  const auto before = text_digests(settings, load_corpus(settings));
  CHECK(before.size() == 6);
  const std::string changed = folder.path().string() + "/val.en";
  write_file(changed, "a dog\ntwo cats\n");
  for (const auto& [file, digest] : text_digests(settings, load_corpus(settings))) {
    INFO(file);
    CHECK((before.at(file) == digest) == (file != changed));
  }
  const DataSettings synthetic = small_synthetic({"aa-ba"});
  CHECK(text_digests(synthetic, load_corpus(synthetic)).empty());
}

TEST_CASE("everything wrong with the files is said at once", "[data][corpus]") {
  const TemporaryFolder folder;
  const DataSettings settings = small_text(folder);
  const std::string root = folder.path().string() + "/";
  write_file(root + "val.de", "ein Hund\n");
  write_file(root + "train.de", "ein Hund\nzwei H\xFCnde\n");
  write_file(root + "test.en", "");
  CHECK(data_errors(settings) == std::vector<std::string>{
                                     root + "train.de:2: invalid UTF-8 at byte 7 of the line.",
                                     root + "val.de: has 1 lines, but " + root + "val.en has 2.",
                                     root + "test.en: the file is empty.",
                                 });
  CHECK_THROWS_WITH(load_corpus(settings), join(data_errors(settings), "\n"));

  write_file(root + "train.de", "\xFF\n\xC3(\n");
  CHECK(data_errors(settings).front() ==
        root + "train.de:1: invalid UTF-8 at byte 1 of the line; so are 1 more lines of the file.");
}

TEST_CASE("missing files and folders are named", "[data][corpus]") {
  const TemporaryFolder folder;
  DataSettings settings = small_text(folder);
  settings.valid = "vall";
  REQUIRE(data_errors(settings).size() == 2);
  CHECK(contains(data_errors(settings)[0], "vall.de: no such file; did you mean \"val.de\"? Source \"text\" reads"));
  CHECK(contains(data_errors(settings)[1], "vall.en: no such file"));

  settings.root += "/nowhere";
  const std::vector<std::string> errors = data_errors(settings);
  REQUIRE(errors.size() == 1);
  CHECK(errors.front().starts_with("data.root: no folder \"" + settings.root + "\"; put one file SPLIT.LANG"));
  CHECK(errors.front().find("mtdata") != std::string::npos);

  settings.source = "synthetic";
  CHECK(data_errors(settings).empty());
}

TEST_CASE("the digest follows contents and settings, not the path", "[data][corpus]") {
  const TemporaryFolder here, there;
  DataSettings settings = small_text(here);
  const std::string digest = corpus_digest(settings, load_corpus(settings));
  CHECK(digest.size() == 16);
  CHECK(corpus_digest(small_text(there), load_corpus(small_text(there))) == digest);

  settings.vocabulary = 100;
  CHECK(corpus_digest(settings, load_corpus(settings)) != digest);
  settings.vocabulary = DataSettings().vocabulary;
  settings.directions = {"en-de"};
  CHECK(corpus_digest(settings, load_corpus(settings)) != digest);
  settings.directions = {"de-en"};
  write_file(here.path() / "test.en", "a dog\ntwo dogs!\n");
  CHECK(corpus_digest(settings, load_corpus(settings)) != digest);
}

TEST_CASE("Multi30k is read whole", "[data][corpus][multi30k]") {
  const std::optional<DataSettings> settings = multi30k({"de-en", "fr-en"});
  if (!settings) {
    WARN("skipped: no ../shared/data/multi30k");
    return;
  }
  CHECK(data_errors(*settings).empty());
  const Corpus corpus = load_corpus(*settings);
  for (const ParallelText& text : corpus.train.directions) CHECK(text.source.size() == 29000);
  for (const ParallelText& text : corpus.valid.directions) CHECK(text.source.size() == 1014);
  for (const ParallelText& text : corpus.test[0].directions) CHECK(text.target.size() == 1000);
  CHECK(corpus.train.directions[0].target == corpus.train.directions[1].target);
}

}  // namespace moe
