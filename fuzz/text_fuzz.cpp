// A text file of a corpus: any bytes give lines that make up the file again, but for what editors leave, and a sentence
// when they are no UTF-8.
#include "core/error.h"
#include "core/text.h"
#include "data/text_files.h"

#include "fuzz/input_file.h"

#include <string_view>

namespace {

/// Without a byte order mark and carriage returns at the end of lines.
std::string cleaned(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t next = text.find_first_not_of('\r', i);
    const bool ends_line = next == std::string_view::npos || text[next] == '\n';
    if (text[i] != '\r' || !ends_line) result += text[i];
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const moe::InputFile file(data, size);
  moe::ConfigErrors errors;
  std::vector<std::string> notes;
  moe::TextFiles files(errors, notes);
  const std::vector<std::string>& lines = files.lines(file.path());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (moe::first_invalid_utf8(text) && errors.empty()) std::abort();
  const std::string joined = moe::join(lines, "\n");
  const std::string expected = cleaned(text);
  if (!lines.empty() && joined != expected && joined + "\n" != expected) std::abort();
  if (!lines.empty() && notes.empty() != (expected == text)) std::abort();
  return 0;
}
