#pragma once
// Reference translations of the test sets that runs were scored on.

#include "data/corpus.h"
#include "data/data_settings.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// The data of one `data` section.
struct LoadedData {
  std::optional<Corpus> corpus;
  std::string digest;   ///< corpus_digest
  std::string missing;  ///< why there is no corpus; empty when there is one
};

/// Reads or makes each corpus once. The files of text are looked for below `root` where that is given, else where the
/// settings say.
class ReferenceTexts {
 public:
  explicit ReferenceTexts(std::optional<std::filesystem::path> root) : root_(std::move(root)) {}

  /// The data of a configuration's `data` section.
  const LoadedData& load(const Json& section);

  /// References whose digest_of_text that is, in any data that were loaded; null where there are none.
  const std::vector<std::string>* find(const std::string& digest) const;

 private:
  std::optional<std::filesystem::path> root_;
  std::map<std::string, LoadedData> loaded_;  ///< by the settings as text
};

/// The references of one test set in one direction; null when the corpus has no such set or direction.
const ParallelText* find_test_set(const Corpus& corpus, const std::string& set, const std::string& direction);

}  // namespace moe
