#pragma once
// Text files as lines, with everything that can be wrong with them said at once.

#include "core/config.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace moe {

/// Characters between two spaces that SentencePiece can learn pieces from: it packs the place of a character in its
/// word into 16 bits, and crashes at one more. Cutting text with a finished vocabulary has no such limit.
inline constexpr std::size_t longest_word = 32768;

/// The files of one corpus, each read and checked once however many directions need it.
class TextFiles {
 public:
  /// Problems are added to `errors`, what was left out of a file to `notes`; both must outlive this object.
  TextFiles(ConfigErrors& errors, std::vector<std::string>& notes) : errors_(errors), notes_(notes) {}

  /// The lines of a file as split_lines gives them. Adds a sentence when the file is missing, unreadable, empty or of
  /// an old Mac (no lines then) or holds invalid UTF-8 (the lines are still returned).
  const std::vector<std::string>& lines(const std::filesystem::path& file);

  /// The same for a file that a vocabulary is made from. Adds a sentence when a word has more than `longest_word`
  /// characters.
  const std::vector<std::string>& training_lines(const std::filesystem::path& file);

 private:
  std::vector<std::string> read(const std::filesystem::path& file);
  /// Adds one sentence for all lines that have a fault; no fault is an empty text.
  void check_lines(const std::filesystem::path& file, const std::vector<std::string>& lines,
                   const std::function<std::string(const std::string& line)>& fault_of);

  ConfigErrors& errors_;
  std::vector<std::string>& notes_;
  std::map<std::filesystem::path, std::vector<std::string>> files_;
};

}  // namespace moe
