#include "harness/commands/verify/reference_texts.h"

#include "core/error.h"
#include "core/text.h"
#include "data/load_corpus.h"
#include "harness/results/imported_run.h"

#include <algorithm>

namespace moe {
namespace {

LoadedData load_data(const Json& section, const std::optional<std::filesystem::path>& root) {
  LoadedData data;
  DataSettings settings;
  ConfigErrors errors;
  read_settings(settings, section, "config.data", errors);
  if (!errors.empty()) {
    data.missing = errors.sentences().front();
    return data;
  }
  if (root && settings.source == "text") settings.root = root->string();
  std::error_code failure;
  if (settings.source == "text" && !std::filesystem::is_directory(settings.root, failure)) {
    data.missing = fmt::format("there is no folder \"{}\" with their data.", settings.root);
    return data;
  }
  try {
    data.corpus = load_corpus(settings);
    data.digest = corpus_digest(settings, *data.corpus);
  } catch (const Error& error) {
    data.missing = split(error.what(), '\n').front();
  }
  return data;
}

}  // namespace

const LoadedData& ReferenceTexts::load(const Json& section) {
  const auto [entry, is_new] = loaded_.try_emplace(section.dump());
  if (is_new) entry->second = load_data(section, root_);
  return entry->second;
}

const std::vector<std::string>* ReferenceTexts::find(const std::string& digest) const {
  for (const auto& [section, data] : loaded_) {
    if (!data.corpus) continue;
    for (const TextSet& set : data.corpus->test) {
      for (const ParallelText& text : set.directions) {
        if (digest_of_text(text.target) == digest) return &text.target;
      }
    }
  }
  return nullptr;
}

const ParallelText* find_test_set(const Corpus& corpus, const std::string& set, const std::string& direction) {
  for (const TextSet& test : corpus.test) {
    for (std::size_t i = 0; i < corpus.directions.size(); ++i) {
      if (test.name == set && corpus.directions[i].name == direction) return &test.directions[i];
    }
  }
  return nullptr;
}

}  // namespace moe
