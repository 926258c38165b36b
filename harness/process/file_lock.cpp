#include "harness/process/file_lock.h"

#include "core/error.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace moe {

FileLock::FileLock(const std::filesystem::path& file, WhenHeld when_held)
    : descriptor_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw_system_error(file.string(), "lock");
  const int operation = LOCK_EX | (when_held == WhenHeld::refuse ? LOCK_NB : 0);
  int result = ::flock(descriptor_, operation);
  while (result != 0 && errno == EINTR) result = ::flock(descriptor_, operation);
  if (result == 0) return;
  const bool held = errno == EWOULDBLOCK;
  ::close(descriptor_);
  MOE_CHECK(!held, "{}: another sweep is running in this folder; wait for it, or give another --out.",
            file.parent_path().string());
  throw_system_error(file.string(), "lock");
}

FileLock::~FileLock() {
  ::close(descriptor_);
}

}  // namespace moe
