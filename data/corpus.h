#pragma once
// Parallel sentences of one run, from text files or made up, before they are cut into subwords.

#include "core/config.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace moe {

/// `data.synthetic`: sizes of the made-up languages and worlds.
struct SyntheticSettings {
  std::int64_t seed = 1;
  std::int64_t train_sentences = 8000;
  std::int64_t valid_sentences = 200;
  std::int64_t test_sentences = 200;
  std::int64_t nouns = 60;
  std::int64_t verbs = 30;
  std::int64_t adjectives = 20;
  std::int64_t contexts = 1024;

  void visit(FieldVisitor& visitor);
};

/// The `data` section of a sweep.
struct DataSettings {
  std::string source = "text";                      ///< text | synthetic
  std::string world = "grammar";                    ///< of synthetic data: grammar, or one of world_names()
  std::string root;                                 ///< folder of SPLIT.LANG files, relative to the working directory
  std::vector<std::string> directions = {"de-en"};  ///< SOURCE-TARGET
  std::string train = "train";
  std::string valid = "val";
  std::vector<std::string> test = {"test"};
  double train_share = 1.0;           ///< of the training pairs of each direction that are kept
  std::int64_t vocabulary = 8000;     ///< SentencePiece BPE pieces, shared by all languages
  double sampling_temperature = 1.0;  ///< T: a direction is drawn with probability ~ size^(1/T)
  std::int64_t max_length = 128;      ///< training pairs with more subwords on a side are left out
  SyntheticSettings synthetic;

  void visit(FieldVisitor& visitor);
  /// Whether sentences are words of a known-answer world (data/worlds.h), which are not cut into pieces.
  bool is_world() const { return source == "synthetic" && world != "grammar"; }
};

/// Index of a direction in DataSettings::directions, with its languages taken apart.
struct Direction {
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
  std::vector<Direction> directions;
  TextSet train;
  TextSet valid;
  std::vector<TextSet> test;
};

/// Adds to `errors` (paths below `path`) whatever is wrong with the settings themselves: a direction that is not
/// SOURCE-TARGET, no direction, a text source without a root. Reads no file but may look whether folders exist only in
/// `check_data`.
void check_settings(const DataSettings& settings, const std::string& path, ConfigErrors& errors);

/// Adds to `errors` whatever is wrong with the data files that the settings name, one sentence each with file and line:
/// missing folder or file, an empty one, unequal numbers of lines, invalid UTF-8, too long a word; none if synthetic.
void check_data(const DataSettings& settings, const std::string& path, ConfigErrors& errors);

/// Reads or makes the corpus. Throws Error (request_wrong) with the sentences of check_data when the data is unusable.
/// Lines are those of split_lines (core/text_lines.h).
Corpus load_corpus(const DataSettings& settings);

/// Digest of everything that a run reads from the data: contents of all sets and the settings that shape them, not the
/// path. Sixteen hexadecimal digits.
std::string corpus_digest(const DataSettings& settings, const Corpus& corpus);

}  // namespace moe
