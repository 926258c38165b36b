// Runs a fuzz target over every file of the folders given, so that any compiler and any test run can replay a corpus.
#include "core/files.h"

#include <cstdint>
#include <iostream>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
  int files = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) {
      const std::string bytes = moe::read_file(entry.path());
      std::cout << entry.path().filename().string() << '\n'
                << std::flush;  // now: after a crash the last one is the culprit
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      ++files;
    }
  }
  if (files == 0) std::cerr << "no files to replay\n";
  return files == 0 ? 1 : 0;
}
