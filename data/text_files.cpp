#include "data/text_files.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

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

}  // namespace

const std::vector<std::string>& TextFiles::lines(const std::filesystem::path& file) {
  const auto known = files_.find(file);
  if (known != files_.end()) return known->second;
  return files_.emplace(file, read(file)).first->second;
}

std::vector<std::string> TextFiles::read(const std::filesystem::path& file) {
  std::error_code failure;
  if (!std::filesystem::exists(file, failure)) {
    errors_.add("", missing_file_sentence(file));
    return {};
  }
  std::string bytes;
  try {
    bytes = read_file(file);
  } catch (const Error& error) {
    errors_.add("", error.what());
    return {};
  }
  if (bytes.empty()) {
    errors_.add("", fmt::format("{}: the file is empty.", file.string()));
    return {};
  }
  std::string_view text = bytes;
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::vector<std::string> lines = split(text, '\n');
  if (first_invalid_utf8(bytes)) check_utf8(file, lines);
  return lines;
}

void TextFiles::check_utf8(const std::filesystem::path& file, const std::vector<std::string>& lines) {
  std::string first;
  std::size_t others = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::optional<std::size_t> byte = first_invalid_utf8(lines[i]);
    if (!byte) continue;
    if (first.empty()) {
      first = fmt::format("{}:{}: invalid UTF-8 at byte {} of the line", file.string(), i + 1, *byte + 1);
    } else {
      ++others;
    }
  }
  errors_.add("", others == 0 ? first + "." : fmt::format("{}; so are {} more lines of the file.", first, others));
}

}  // namespace moe
