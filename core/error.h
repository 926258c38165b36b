#pragma once
// The one exception type of the project, and the macro that throws it.

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace moe {

/// What the process returns to its caller; the numbers are a contract of the command line.
enum class ExitStatus : int {
  success = 0,
  runs_failed = 1,     ///< some runs of the sweep failed; the others are kept
  request_wrong = 2,   ///< usage, configuration or input data
  machine_failed = 3,  ///< no disk, no device
  device_lost = 4,     ///< of the worker of one run alone: its GPU is gone
  interrupted = 130,   ///< stopped by a signal after writing what is needed to go on
};

/// An error whose text is one or more complete sentences for the user, one per line.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& sentence, ExitStatus status = ExitStatus::request_wrong)
      : std::runtime_error(sentence), status_(status) {}

  ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

/// "PATH: what the system said" with status `machine_failed`, for a system call that just set errno.
[[noreturn]] void throw_system_error(const std::string& path, const char* action);

}  // namespace moe

/// Throws moe::Error with the formatted sentence unless the condition holds. For requests that can be wrong:
/// configuration, files, arguments of public functions.
#define MOE_CHECK(condition, ...)                     \
  do {                                                \
    if (!(condition)) {                               \
      throw ::moe::Error(::fmt::format(__VA_ARGS__)); \
    }                                                 \
  } while (false)
