#include "data/text_files.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/text_lines.h"

#include <algorithm>
#include <optional>

namespace moe {
namespace {

/// "; did you mean "val.de"?" when the folder holds a file of nearly this name.
std::string similar_file(const std::filesystem::path& file) {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path(), failure)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  const std::optional<std::string> meant = nearest(file.filename().string(), names);
  return meant ? fmt::format("; did you mean \"{}\"?", *meant) : "";
}

std::string missing_file_sentence(const std::filesystem::path& file) {
  const std::string similar = similar_file(file);
  return fmt::format(
      "{}: no such file{} Source \"text\" reads one file SPLIT.LANG for each split and language, line by line aligned; "
      "the tool mtdata can fetch public corpora.",
      file.string(), similar.empty() ? "." : similar);
}

/// Characters of the longest stretch without a space; a tabulator counts as one.
std::size_t longest_word_of(const std::string& line) {
  std::size_t longest = 0, length = 0;
  for (const char c : line) {
    if (c == ' ' || c == '\t') {
      length = 0;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {  // not the inner bytes of a character
      longest = std::max(longest, ++length);
    }
  }
  return longest;
}

}  // namespace

const std::vector<std::string>& TextFiles::lines(const std::filesystem::path& file) {
  const auto known = files_.find(file);
  if (known != files_.end()) return known->second;
  return files_.emplace(file, read(file)).first->second;
}

const std::vector<std::string>& TextFiles::training_lines(const std::filesystem::path& file) {
  const std::vector<std::string>& lines = this->lines(file);
  check_lines(file, lines, [](const std::string& line) -> std::string {
    const std::size_t length = longest_word_of(line);
    if (length <= longest_word) return "";
    return fmt::format("too long for SentencePiece, {} characters without a space where at most {} are allowed", length,
                       longest_word);
  });
  return lines;
}

std::vector<std::string> TextFiles::read(const std::filesystem::path& file) {
  std::error_code failure;
  if (!std::filesystem::exists(file, failure)) {
    errors_.add("", missing_file_sentence(file));
    return {};
  }
  TextLines text;
  try {
    text = split_lines(read_file(file), file.string());
  } catch (const Error& error) {
    errors_.add("", error.what());
    return {};
  }
  errors_.check(!text.lines.empty(), "", fmt::format("{}: the file is empty.", file.string()));
  if (!text.note.empty()) notes_.push_back(text.note);
  check_lines(file, text.lines, [](const std::string& line) -> std::string {
    const std::optional<std::size_t> byte = first_invalid_utf8(line);
    return byte ? fmt::format("invalid UTF-8 at byte {} of the line", *byte + 1) : "";
  });
  return std::move(text.lines);
}

void TextFiles::check_lines(const std::filesystem::path& file, const std::vector<std::string>& lines,
                            const std::function<std::string(const std::string& line)>& fault_of) {
  std::string first;
  std::size_t others = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string fault = fault_of(lines[i]);
    if (fault.empty()) continue;
    if (first.empty()) {
      first = fmt::format("{}:{}: {}", file.string(), i + 1, fault);
    } else {
      ++others;
    }
  }
  if (first.empty()) return;
  errors_.add("", others == 0 ? first + "." : fmt::format("{}; so are {} more lines of the file.", first, others));
}

}  // namespace moe
