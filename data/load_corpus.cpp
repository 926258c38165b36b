#include "data/load_corpus.h"

#include "core/error.h"
#include "core/text.h"
#include "data/digest.h"
#include "data/language_pair.h"
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
    const std::optional<LanguagePair> direction = parse_language_pair(name);
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
  errors.check(settings.valid != settings.train, join_path(path, "valid"),
               fmt::format("\"{}\" is the training set.", settings.valid));
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
  if (settings.is_world()) return make_world(settings, parse_language_pairs(settings.directions));
  if (settings.source == "synthetic") return make_synthetic_corpus(settings, parse_language_pairs(settings.directions));
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
  for (const LanguagePair& direction : corpus.directions) digest.add(direction.name);
  add_set(digest, corpus.train);
  add_set(digest, corpus.valid);
  for (const TextSet& set : corpus.test) add_set(digest, set);
  return digest.text();
}

}  // namespace moe
