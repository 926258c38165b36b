#include "data/text_corpus.h"

#include "data/digest.h"
#include "data/language_pair.h"
#include "data/text_files.h"

#include <fmt/format.h>

namespace moe {
namespace {

ParallelText read_parallel(const DataSettings& settings, const std::string& split, const LanguagePair& direction,
                           TextFiles& files, ConfigErrors& errors) {
  const std::filesystem::path source_file = text_file(settings, split, direction.source);
  const std::filesystem::path target_file = text_file(settings, split, direction.target);
  const auto lines = split == settings.train ? &TextFiles::training_lines : &TextFiles::lines;
  const std::vector<std::string>& source = (files.*lines)(source_file);
  const std::vector<std::string>& target = (files.*lines)(target_file);
  if (!source.empty() && !target.empty()) {  // else the file itself is at fault, and that was said
    errors.check(source.size() == target.size(), "",
                 fmt::format("{}: has {} lines, but {} has {}.", source_file.string(), source.size(),
                             target_file.string(), target.size()));
  }
  return {source, target, {}};
}

std::string digest_of_lines(const std::vector<std::string>& lines) {
  Digest digest;
  for (const std::string& line : lines) digest.add(line);
  return digest.text();
}

}  // namespace

Corpus read_text_corpus(const DataSettings& settings, const std::string& path, ConfigErrors& errors,
                        std::vector<std::string>& notes) {
  Corpus corpus;
  corpus.directions = parse_language_pairs(settings.directions);
  std::error_code failure;
  if (!std::filesystem::is_directory(settings.root, failure)) {
    errors.add(
        join_path(path, "root"),
        fmt::format("no folder \"{}\"; put one file SPLIT.LANG for each split and language there ({}.{} and {}.{} "
                    "first), line by line aligned, by hand or with the tool mtdata, which fetches public corpora.",
                    settings.root, settings.train, corpus.directions.front().source, settings.train,
                    corpus.directions.front().target));
    return corpus;
  }
  TextFiles files(errors, notes);
  const auto read_set = [&](const std::string& split) {
    TextSet set{split, {}};
    for (const LanguagePair& direction : corpus.directions) {
      set.directions.push_back(read_parallel(settings, split, direction, files, errors));
    }
    return set;
  };
  corpus.train = read_set(settings.train);
  corpus.valid = read_set(settings.valid);
  for (const std::string& name : settings.test) corpus.test.push_back(read_set(name));
  return corpus;
}

std::filesystem::path text_file(const DataSettings& settings, const std::string& split, const std::string& language) {
  return std::filesystem::path(settings.root) / (split + "." + language);
}

std::vector<std::filesystem::path> text_files(const DataSettings& settings) {
  std::vector<std::string> splits = {settings.train, settings.valid};
  splits.insert(splits.end(), settings.test.begin(), settings.test.end());
  std::vector<std::filesystem::path> files;
  for (const std::string& split : splits) {
    for (const LanguagePair& direction : parse_language_pairs(settings.directions)) {
      for (const std::string& language : {direction.source, direction.target}) {
        files.push_back(text_file(settings, split, language));
      }
    }
  }
  return files;
}

std::map<std::string, std::string> text_digests(const DataSettings& settings, const Corpus& corpus) {
  std::map<std::string, std::string> digests;
  if (settings.source != "text") return digests;
  const auto add = [&](const TextSet& set, const std::string& language, const std::vector<std::string>& lines) {
    const auto [entry, is_new] = digests.try_emplace(text_file(settings, set.name, language).string());
    if (is_new) entry->second = digest_of_lines(lines);
  };
  std::vector<const TextSet*> sets = {&corpus.train, &corpus.valid};
  for (const TextSet& set : corpus.test) sets.push_back(&set);
  for (const TextSet* set : sets) {
    for (std::size_t d = 0; d < corpus.directions.size(); ++d) {
      add(*set, corpus.directions[d].source, set->directions[d].source);
      add(*set, corpus.directions[d].target, set->directions[d].target);
    }
  }
  return digests;
}

void check_data(const DataSettings& settings, const std::string& path, ConfigErrors& errors,
                std::vector<std::string>& notes) {
  if (settings.source == "text" && !settings.root.empty()) read_text_corpus(settings, path, errors, notes);
}

}  // namespace moe
