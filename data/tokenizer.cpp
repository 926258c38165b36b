#include "data/tokenizer.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "data/digest.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace moe {
namespace {

using Lines = std::vector<std::string>;

constexpr std::int64_t special_ids = 4;         ///< padding, unknown, begin and end
constexpr std::int64_t most_words = 1'000'000;  ///< of a world's vocabulary, which takes as many as there are

std::string tag_of(const std::string& language) {
  return "<2" + language + ">";
}

/// Tags of all target languages, sorted; none when there is one target language.
std::vector<std::string> target_tags(const std::vector<LanguagePair>& directions) {
  std::set<std::string> tags;
  if (needs_target_tag(directions)) {
    for (const LanguagePair& direction : directions) tags.insert(tag_of(direction.target));
  }
  return {tags.begin(), tags.end()};
}

/// Every distinct training text once, in the order of the directions: directions with a common side often share it.
std::vector<const Lines*> distinct_texts(const TextSet& set) {
  std::vector<const Lines*> texts;
  for (const ParallelText& text : set.directions) {
    for (const Lines* side : {&text.source, &text.target}) {
      const auto same = [&](const Lines* other) { return *other == *side; };
      if (std::none_of(texts.begin(), texts.end(), same)) texts.push_back(side);
    }
  }
  return texts;
}

/// SentencePiece keeps the tabulator for itself and could not learn it; as a space it means the same.
std::string without_tabs(std::string line) {
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

/// Feeds the lines of several texts to the trainer.
class LineIterator : public sentencepiece::SentenceIterator {
 public:
  explicit LineIterator(const std::vector<const Lines*>& texts) : texts_(texts) { find_line(); }
  bool done() const final { return text_ == texts_.size(); }
  void Next() override {
    ++line_;
    find_line();
  }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void find_line() {
    while (!done() && line_ == texts_[text_]->size()) {
      ++text_;
      line_ = 0;
    }
    if (!done()) value_ = without_tabs((*texts_[text_])[line_]);
  }

  const std::vector<const Lines*>& texts_;
  std::size_t text_ = 0;
  std::size_t line_ = 0;
  std::string value_;
};

/// How many pieces hold one character each; the space is one of them, and always there.
std::size_t count_characters(const std::vector<const Lines*>& texts) {
  std::set<std::string> characters{" "};
  for (LineIterator lines(texts); !lines.done(); lines.Next()) {
    const std::string& line = lines.value();
    for (std::size_t start = 0, end = 0; start < line.size(); start = end) {
      end = start + 1;
      while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) ++end;
      characters.insert(line.substr(start, end - start));
    }
  }
  return characters.size();
}

/// What SentencePiece is asked for. Text stays as it is (no Unicode normalisation, spaces kept), so that decoding gives
/// the characters back that BLEU compares. Tags are control pieces, which no text can produce.
std::map<std::string, std::string> training_options(const DataSettings& settings,
                                                    const std::vector<std::string>& tags) {
  return {{"model_type", settings.is_world() ? "word" : "bpe"},
          {"vocab_size", std::to_string(settings.is_world() ? most_words : settings.vocabulary)},
          {"hard_vocab_limit", "false"},  // we compare sizes ourselves, to name the largest possible one
          {"character_coverage", "1.0"},
          {"normalization_rule_name", "identity"},
          {"remove_extra_whitespaces", "false"},
          {"byte_fallback", "false"},
          {"pad_id", std::to_string(padding_id)},
          {"unk_id", std::to_string(unknown_id)},
          {"bos_id", std::to_string(begin_id)},
          {"eos_id", std::to_string(end_id)},
          {"control_symbols", join(tags, ",")},
          {"max_sentence_length", "1000000000"},
          {"num_threads", "1"},
          {"minloglevel", "4"}};
}

std::string train_model(const DataSettings& settings, const std::vector<const Lines*>& texts,
                        const std::map<std::string, std::string>& options) {
  std::string model;
  LineIterator lines(texts);
  const auto status = sentencepiece::SentencePieceTrainer::Train({options.begin(), options.end()}, &lines, &model);
  MOE_CHECK(status.ok(), "data: SentencePiece cannot train on these texts: {}.", status.ToString());
  sentencepiece::SentencePieceProcessor processor;
  MOE_CHECK(processor.LoadFromSerializedProto(model).ok(), "data: SentencePiece wrote a model that it cannot read.");
  MOE_CHECK(settings.is_world() || processor.GetPieceSize() == settings.vocabulary,
            "data.vocabulary: found {}, but the training texts give at most {} pieces.", settings.vocabulary,
            processor.GetPieceSize());
  return model;
}

/// Names a model by what it is made of.
std::string model_key(const std::vector<const Lines*>& texts, const std::map<std::string, std::string>& options) {
  Digest key;
  for (const auto& [option, value] : options) {
    key.add(option);
    key.add(value);
  }
  for (const Lines* text : texts) {
    key.add(static_cast<std::int64_t>(text->size()));
    for (const std::string& line : *text) key.add(line);
  }
  return key.text();
}

std::string file_name(const std::string& key, const std::string& model) {
  return fmt::format("{}-{}.model", key, digest_of(model));
}

/// The model of that key in the folder; one whose content is not what its name says is as good as missing.
std::optional<std::filesystem::path> find_model(const std::string& key, const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder)) return std::nullopt;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    // Another process may be writing one under another name, and rename it at any moment.
    if (!name.starts_with(key) || !name.ends_with(".model")) continue;
    if (name == file_name(key, read_file(entry.path()))) return entry.path();
  }
  return std::nullopt;
}

}  // namespace

struct Tokenizer::Implementation {
  sentencepiece::SentencePieceProcessor processor;
};

Tokenizer::Tokenizer(const std::filesystem::path& model) : implementation_(std::make_unique<Implementation>()) {
  auto& processor = implementation_->processor;
  MOE_CHECK(processor.LoadFromSerializedProto(read_file(model)).ok(), "{}: is not a SentencePiece model.",
            model.string());
  MOE_CHECK(processor.pad_id() == padding_id && processor.unk_id() == unknown_id && processor.bos_id() == begin_id &&
                processor.eos_id() == end_id,
            "{}: padding, unknown, begin and end have ids {}, {}, {}, {}, expected {}, {}, {}, {}.", model.string(),
            processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id(), padding_id, unknown_id,
            begin_id, end_id);
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::int64_t Tokenizer::vocabulary_size() const {
  return implementation_->processor.GetPieceSize();
}

std::vector<std::int64_t> Tokenizer::encode(const std::string& sentence) const {
  std::vector<int> ids;
  const auto status = implementation_->processor.Encode(without_tabs(sentence), &ids);
  MOE_CHECK(status.ok(), "A sentence cannot be cut into subwords: {}.", status.ToString());
  return {ids.begin(), ids.end()};
}

std::string Tokenizer::decode(const std::vector<std::int64_t>& ids) const {
  const auto& processor = implementation_->processor;
  std::vector<int> words;
  for (const std::int64_t id : ids) {
    MOE_CHECK(id >= 0 && id < vocabulary_size(), "Subword id {} is outside the vocabulary of {}.", id,
              vocabulary_size());
    if (!processor.IsControl(static_cast<int>(id))) words.push_back(static_cast<int>(id));
  }
  std::string sentence;
  const auto status = processor.Decode(words, &sentence);
  MOE_CHECK(status.ok(), "Subwords cannot be put together: {}.", status.ToString());
  return sentence;
}

std::int64_t Tokenizer::target_tag(const std::string& language) const {
  const int id = implementation_->processor.PieceToId(tag_of(language));
  MOE_CHECK(id != unknown_id, "The vocabulary has no tag {}.", tag_of(language));
  return id;
}

bool needs_target_tag(const std::vector<LanguagePair>& directions) {
  return std::any_of(directions.begin(), directions.end(),
                     [&](const LanguagePair& direction) { return direction.target != directions.front().target; });
}

std::filesystem::path train_tokenizer(const DataSettings& settings, const Corpus& corpus,
                                      const std::filesystem::path& folder) {
  const std::vector<const Lines*> texts = distinct_texts(corpus.train);
  const std::vector<std::string> tags = target_tags(corpus.directions);
  const std::map<std::string, std::string> options = training_options(settings, tags);
  const std::string key = model_key(texts, options);
  if (const auto found = find_model(key, folder)) return *found;

  const std::size_t smallest = special_ids + tags.size() + count_characters(texts);
  MOE_CHECK(settings.is_world() || static_cast<std::size_t>(settings.vocabulary) >= smallest,
            "data.vocabulary: found {}, but these texts need at least {} pieces for their characters.",
            settings.vocabulary, smallest);
  const std::string model = train_model(settings, texts, options);
  const std::filesystem::path file = folder / file_name(key, model);
  write_file(file, model);
  return file;
}

}  // namespace moe
