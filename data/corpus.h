#pragma once
// Parallel sentences of one run, from text files or made up, before they are cut into subwords.

#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// An entry of DataSettings::directions, taken apart.
struct LanguagePair {
  std::string name;    ///< "de-en"
  std::string source;  ///< "de"
  std::string target;  ///< "en"
};

/// Line-aligned sentences of one direction.
struct ParallelText {
  std::vector<std::string> source;
  std::vector<std::string> target;
  std::vector<std::vector<std::int64_t>> label;  ///< of each source word, in known-answer worlds; else empty
};

/// A named set (train, valid or one of the test sets): one ParallelText per direction, in the order of the directions.
struct TextSet {
  std::string name;  ///< the SPLIT of the files: "train", "val", "test_2016_flickr"
  std::vector<ParallelText> directions;
};

struct Corpus {
  std::vector<LanguagePair> directions;
  TextSet train;
  TextSet valid;
  std::vector<TextSet> test;
};

}  // namespace moe
