#include "core/memory.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace moe {

void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int gibibyte = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, gibibyte);
  mallopt(M_TRIM_THRESHOLD, gibibyte);
#endif
}

std::optional<std::int64_t> system_number(const std::string& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    std::int64_t value = 0;
    if (std::istringstream(line.substr(key.size())) >> value) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace moe
