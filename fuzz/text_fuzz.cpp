// A text file of a corpus: any bytes give lines that make up the file again, and a sentence when they are no UTF-8.
#include "core/error.h"
#include "core/text.h"
#include "data/text_files.h"

#include "fuzz/input_file.h"

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const moe::InputFile file(data, size);
  moe::ConfigErrors errors;
  moe::TextFiles files(errors);
  const std::vector<std::string>& lines = files.lines(file.path());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (moe::first_invalid_utf8(text) && errors.empty()) std::abort();
  const std::string joined = moe::join(lines, "\n");
  if (!lines.empty() && joined != text && joined + "\n" != text) std::abort();
  return 0;
}
