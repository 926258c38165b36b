#pragma once
// A lock on a folder that ends with the process, however it ends.

#include <filesystem>

namespace moe {

class FileLock {
 public:
  /// Locks `file`, made if missing. Waits for whoever holds it, or throws Error (request_wrong) at once.
  enum class WhenHeld { wait, refuse };
  FileLock(const std::filesystem::path& file, WhenHeld when_held);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  int descriptor_;
};

}  // namespace moe
