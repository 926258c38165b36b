#pragma once
// The data of a run, ready to train and score on.

#include "data/batches.h"
#include "data/corpus.h"
#include "data/data_settings.h"
#include "data/tokenizer.h"

#include <filesystem>
#include <vector>

namespace moe {

struct RunData {
  Corpus corpus;
  Tokenizer tokenizer;
  EncodedSet train;
  EncodedSet valid;
  std::vector<EncodedSet> test;  ///< as Corpus::test
  TokenCounts counts;
};

/// Loads the corpus and encodes it with the vocabulary that train_tokenizer wrote.
RunData load_run_data(const DataSettings& settings, const std::filesystem::path& vocabulary);

}  // namespace moe
