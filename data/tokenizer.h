#pragma once
// One shared SentencePiece BPE vocabulary for all languages of a run.

#include "data/corpus.h"
#include "data/data_settings.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace moe {

/// Ids that every vocabulary of ours starts with.
inline constexpr std::int64_t padding_id = 0;
inline constexpr std::int64_t unknown_id = 1;
inline constexpr std::int64_t begin_id = 2;  ///< first decoder input
inline constexpr std::int64_t end_id = 3;    ///< last token of every source and target

class Tokenizer {
 public:
  /// Loads a model file that train_tokenizer wrote.
  explicit Tokenizer(const std::filesystem::path& model);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  std::int64_t vocabulary_size() const;
  /// Subword ids without begin or end. A tabulator counts as a space.
  std::vector<std::int64_t> encode(const std::string& sentence) const;
  /// The sentence back, character by character unless some were not in the training text; begin, end, padding and tags
  /// are left out.
  std::string decode(const std::vector<std::int64_t>& ids) const;
  /// Id of the tag that asks for `language` as the target ("<2de>"). Throws when the vocabulary has no such tag.
  std::int64_t target_tag(const std::string& language) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// True when the directions have more than one target language, so that sources start with a target tag.
bool needs_target_tag(const std::vector<LanguagePair>& directions);

/// Trains the shared vocabulary on the training side of the corpus (every distinct language text once) and writes it to
/// FOLDER/KEY-DIGEST.model, whole or not at all, where KEY digests text and settings and DIGEST the file itself; does
/// nothing when that file exists and is whole.
/// Returns its path. Too few sentences for the size asked is an Error that names the largest possible size.
std::filesystem::path train_tokenizer(const DataSettings& settings, const Corpus& corpus,
                                      const std::filesystem::path& folder);

}  // namespace moe
