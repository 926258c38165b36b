#pragma once
// Text files as lines, with everything that can be wrong with them said at once.

#include "core/config.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace moe {

/// The files of one corpus, each read and checked once however many directions need it.
class TextFiles {
 public:
  /// Problems are added to `errors`, which must outlive this object.
  explicit TextFiles(ConfigErrors& errors) : errors_(errors) {}

  /// The lines of a file, split at U+000A alone; a final newline ends the last line. Adds a sentence when the file is
  /// missing, unreadable or empty (no lines then) or holds invalid UTF-8 (the lines are still returned).
  const std::vector<std::string>& lines(const std::filesystem::path& file);

 private:
  std::vector<std::string> read(const std::filesystem::path& file);
  void check_utf8(const std::filesystem::path& file, const std::vector<std::string>& lines);

  ConfigErrors& errors_;
  std::map<std::filesystem::path, std::vector<std::string>> files_;
};

}  // namespace moe
