#pragma once
// What the tests of data/ share: folders, small corpora, Multi30k.

#include "core/temporary_folder.h"
#include "data/data_settings.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moe {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A synthetic corpus of a few hundred sentences.
inline DataSettings small_synthetic(const std::vector<std::string>& directions) {
  DataSettings settings;
  settings.source = "synthetic";
  settings.directions = directions;
  settings.vocabulary = 200;
  settings.synthetic.train_sentences = 300;
  settings.synthetic.valid_sentences = 40;
  settings.synthetic.test_sentences = 30;
  settings.synthetic.nouns = 20;
  settings.synthetic.verbs = 10;
  settings.synthetic.adjectives = 8;
  return settings;
}

/// Settings for Multi30k beside the repository; nothing when it is not there.
inline std::optional<DataSettings> multi30k(const std::vector<std::string>& directions) {
  const std::filesystem::path root = std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "../shared/data/multi30k";
  if (!std::filesystem::exists(root / "train.de")) return {};
  DataSettings settings;
  settings.root = root.string();
  settings.directions = directions;
  settings.test = {"test_2016_flickr"};
  return settings;
}

}  // namespace moe
