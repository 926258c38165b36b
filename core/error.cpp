#include "core/error.h"

#include <cerrno>
#include <cstring>

namespace moe {

void throw_system_error(const std::string& path, const char* action) {
  const int code = errno;
  throw Error(fmt::format("{}: cannot {}: {}.", path, action, std::strerror(code)), ExitStatus::machine_failed);
}

}  // namespace moe
