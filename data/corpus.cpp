#include "data/corpus.h"

#include "core/error.h"
#include "core/text.h"
#include "data/digest.h"
#include "data/direction.h"
#include "data/subset.h"
#include "data/synthetic.h"
#include "data/text_corpus.h"
#include "data/worlds.h"

#include <algorithm>
#include <optional>
#include <set>

namespace moe {
namespace {

void check_directions(const DataSettings& settings, const std::string& path, ConfigErrors& errors) {
  errors.check(!settings.directions.empty(), path,
               "found none, expected at least one SOURCE-TARGET such as \"de-en\".");
  std::set<std::string> seen;
  for (const std::string& name : settings.directions) {
    errors.check(seen.insert(name).second, path, fmt::format("\"{}\" stands there twice.", name));
    const std::optional<Direction> direction = parse_direction(name);
    if (!direction) {
      errors.add(path, fmt::format("found \"{}\", expected SOURCE-TARGET with two different languages of letters, "
                                   "digits and _, such as \"de-en\", or with script and region as in \"pt-BR-en\" and "
                                   "\"sr-Latn-sr-Cyrl\".",
                                   name));
    } else if (settings.source == "synthetic") {
      check_synthetic_language(direction->source, path, errors);
      check_synthetic_language(direction->target, path, errors);
    }
  }
}

void check_split_name(const std::string& name, const std::string& path, ConfigErrors& errors) {
  errors.check(!name.empty() && name.find('/') == std::string::npos, path,
               fmt::format("found \"{}\", expected the name of a set, without a slash.", name));
}

/// "test.draw1": with it, DIRECTION.SET.txt could be the DIRECTION.SET.drawN.txt of another set.
bool ends_as_a_draw(const std::string& name) {
  const std::size_t number = name.find_last_not_of("0123456789") + 1;
  return number < name.size() && name.substr(0, number).ends_with(".draw");
}

void check_splits(const DataSettings& settings, const std::string& path, ConfigErrors& errors) {
  check_split_name(settings.train, join_path(path, "train"), errors);
  check_split_name(settings.valid, join_path(path, "valid"), errors);
  const std::string test_path = join_path(path, "test");
  errors.check(!settings.test.empty(), test_path, "found none, expected at least one test set.");
  std::set<std::string> seen;
  for (const std::string& name : settings.test) {
    check_split_name(name, test_path, errors);
    errors.check(seen.insert(name).second, test_path, fmt::format("\"{}\" stands there twice.", name));
    errors.check(name != settings.train, test_path, fmt::format("\"{}\" is the training set.", name));
    errors.check(!ends_as_a_draw(name), test_path,
                 fmt::format("found \"{}\", expected a name that does not end in \".draw\" and a number: files of "
                             "translations of another draw are named so.",
                             name));
  }
}

void throw_if_any(const ConfigErrors& errors) {
  if (!errors.empty()) throw Error(join(errors.sentences(), "\n"));
}

Corpus read_or_make_corpus(const DataSettings& settings) {
  ConfigErrors errors;
  check_settings(settings, "data", errors);
  throw_if_any(errors);
  if (settings.is_world()) return make_world(settings, parse_directions(settings.directions));
  if (settings.source == "synthetic") return make_synthetic_corpus(settings, parse_directions(settings.directions));
  std::vector<std::string> notes;  // said when the data were checked
  Corpus corpus = read_text_corpus(settings, "data", errors, notes);
  throw_if_any(errors);
  return corpus;
}

void add_set(Digest& digest, const TextSet& set) {
  digest.add(set.name);
  for (const ParallelText& text : set.directions) {
    for (const std::vector<std::string>* side : {&text.source, &text.target}) {
      digest.add(static_cast<std::int64_t>(side->size()));
      for (const std::string& line : *side) digest.add(line);
    }
  }
}

}  // namespace

void SyntheticSettings::visit(FieldVisitor& visitor) {
  visitor.field(
      {.key = "seed", .help = "seed of languages and sentences; other seeds are other languages", .minimum = 0}, seed);
  visitor.field({.key = "train_sentences", .help = "training sentences per direction", .minimum = 1, .maximum = 1e6},
                train_sentences);
  visitor.field({.key = "valid_sentences", .help = "validation sentences per direction", .minimum = 1, .maximum = 1e5},
                valid_sentences);
  visitor.field({.key = "test_sentences", .help = "sentences per test set and direction", .minimum = 1, .maximum = 1e5},
                test_sentences);
  visitor.field({.key = "nouns", .help = "nouns of every language", .minimum = 2, .maximum = 500}, nouns);
  visitor.field({.key = "verbs", .help = "verbs of every language", .minimum = 1, .maximum = 500}, verbs);
  visitor.field({.key = "adjectives", .help = "adjectives of every language", .minimum = 1, .maximum = 500},
                adjectives);
  visitor.field({.key = "contexts",
                 .help = "contexts of the worlds senses and lexicon, words of hidden-task",
                 .minimum = 1,
                 .maximum = 1e5},
                contexts);
}

void DataSettings::visit(FieldVisitor& visitor) {
  visitor.field({.key = "source", .help = "text files, or made-up languages", .choices = {"text", "synthetic"}},
                source);
  std::vector<std::string> worlds = world_names();
  worlds.insert(worlds.begin(), "grammar");
  visitor.field({.key = "world",
                 .help = "of synthetic data: languages with a grammar, or a world in which the right ordering of "
                         "strategies is known",
                 .choices = worlds},
                world);
  visitor.field({.key = "root", .help = "folder of the files SPLIT.LANG, relative to the working directory"}, root);
  visitor.field(
      {.key = "directions",
       .help = "translation directions, SOURCE-TARGET: de-en, pt-BR-en, sr-Latn-sr-Cyrl; synthetic languages are two "
               "letters, family and member"},
      directions);
  visitor.field({.key = "train", .help = "SPLIT of the training files"}, train);
  visitor.field({.key = "valid", .help = "SPLIT of the validation files"}, valid);
  visitor.field({.key = "test", .help = "SPLITs of the test files, each scored by itself"}, test);
  visitor.field({.key = "train_share",
                 .help = "share of the training pairs of each direction that is kept, the same pairs in every run; a "
                         "smaller share is a part of a larger one",
                 .minimum = 0,
                 .maximum = 1,
                 .above_minimum = true},
                train_share);
  visitor.field({.key = "vocabulary",
                 .help = "BPE pieces, shared by all languages; special pieces are counted; worlds have whole words",
                 .minimum = 32,
                 .maximum = 1e6},
                vocabulary);
  visitor.field(
      {.key = "sampling_temperature",
       .help = "T: a training sentence comes from a direction with probability ~ size^(1/T); 1 is as they are",
       .minimum = 0,
       .above_minimum = true},
      sampling_temperature);
  visitor.field({.key = "max_length",
                 .help = "training pairs with more subwords on a side are left out; 0 keeps all",
                 .minimum = 0},
                max_length);
  visitor.section({.key = "synthetic", .help = "sizes of the made-up languages"}, synthetic);
}

void check_settings(const DataSettings& settings, const std::string& path, ConfigErrors& errors) {
  check_directions(settings, join_path(path, "directions"), errors);
  check_splits(settings, path, errors);
  if (settings.source == "synthetic") {
    if (!settings.is_world()) check_synthetic_sizes(settings, join_path(path, "synthetic"), errors);
  } else {
    errors.check(!settings.root.empty(), join_path(path, "root"),
                 "source \"text\" needs the folder of the files SPLIT.LANG, such as train.de and train.en.");
  }
}

void check_data(const DataSettings& settings, const std::string& path, ConfigErrors& errors) {
  std::vector<std::string> notes;
  check_data(settings, path, errors, notes);
}

Corpus load_corpus(const DataSettings& settings) {
  Corpus corpus = read_or_make_corpus(settings);
  keep_share(corpus.train, settings.train_share);
  return corpus;
}

std::string corpus_digest(const DataSettings& settings, const Corpus& corpus) {
  Digest digest;
  digest.add(settings.vocabulary);
  digest.add(fmt::format("{}", settings.sampling_temperature));
  digest.add(settings.max_length);
  if (settings.is_world()) digest.add(settings.world);
  for (const Direction& direction : corpus.directions) digest.add(direction.name);
  add_set(digest, corpus.train);
  add_set(digest, corpus.valid);
  for (const TextSet& set : corpus.test) add_set(digest, set);
  return digest.text();
}

}  // namespace moe
