#include "core/memory.h"

#include <fstream>
#include <sstream>

namespace moe {

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

std::int64_t resident_bytes(const std::string& process) {
  return 1024 * system_number("/proc/" + process + "/status", "VmRSS:").value_or(0);
}

}  // namespace moe
