#include "harness/process/file_lock.h"

#include "core/error.h"
#include "tests/data/support.h"
#include "tests/support/catch.h"

#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

namespace moe {

TEST_CASE("a held lock refuses the second, naming the folder, until it is let go") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "sweep.lock";
  std::optional<FileLock> first(std::in_place, file, FileLock::WhenHeld::refuse);
  try {
    const FileLock second(file, FileLock::WhenHeld::refuse);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::request_wrong);
    CHECK(std::string(error.what()) == folder.path().string() +
                                           ": another sweep is running in this folder; wait for it, or give another "
                                           "--out.");
  }
  first.reset();
  CHECK_NOTHROW(FileLock(file, FileLock::WhenHeld::refuse));
}

TEST_CASE("one who waits gets the lock as soon as it is free") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "run.lock";
  std::optional<FileLock> first(std::in_place, file, FileLock::WhenHeld::wait);
  std::atomic<bool> has_lock = false;
  std::thread second([&] {
    const FileLock lock(file, FileLock::WhenHeld::wait);
    has_lock = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(has_lock);
  first.reset();
  second.join();
  CHECK(has_lock);
}

TEST_CASE("a lock ends with the process that held it, however it ends") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "sweep.lock";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const FileLock lock(file, FileLock::WhenHeld::refuse);
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_AS(FileLock(file, FileLock::WhenHeld::refuse), Error);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  CHECK_NOTHROW(FileLock(file, FileLock::WhenHeld::refuse));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a lock in a folder that is not there is the machine's fault") {
  const TemporaryFolder folder;
  try {
    const FileLock lock(folder.path() / "none" / "run.lock", FileLock::WhenHeld::wait);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::machine_failed);
  }
}

}  // namespace moe
