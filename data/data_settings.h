#pragma once
// The `data` section of a sweep.

#include "core/config.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace moe {

/// Names of the known-answer worlds (data/worlds.h).
inline constexpr std::array world_names = {"hidden-task", "lexicon", "null", "scarce-noisy", "senses"};

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
  std::string world = "grammar";                    ///< of synthetic data: grammar, or one of world_names
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

}  // namespace moe
