#pragma once
// Runs child processes side by side and listens to them.

#include "core/json.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moe {

struct Job {
  std::string id;
  std::vector<std::string> command;  ///< program (a path, or a name to look up in PATH) and its arguments
  std::string program{};             ///< what is executed where that is not the program's name; else empty
};

/// How a child ended.
struct JobOutcome {
  int status = 0;     ///< exit status; 127 when the program could not be started
  int signal = 0;     ///< the signal that killed it, or 0; the out-of-memory killer sends SIGKILL
  std::string error;  ///< the last lines of its standard error, and of what it wrote to standard output besides JSON

  bool success() const { return status == 0 && signal == 0; }
};

/// Called from run_jobs, in its thread. Any may be empty.
struct JobEvents {
  std::function<void(const Job&)> started;
  std::function<void(const Job&, const Json&)> progress;  ///< a JSON object, one line of the child's standard output
  std::function<void(const Job&, const JobOutcome&)> finished;
  std::function<void()> tick;  ///< several times a second
  /// Asked before each start for a place to run: what it adds to the child's environment, NAME=VALUE. None: there is no
  /// place now, and the job waits until another has finished. Empty: every job has a place, and adds nothing.
  std::function<std::optional<std::vector<std::string>>(const Job&)> place;
};

/// Runs the jobs in order, at most `parallel` at a time, and returns when all have ended. A job that fails or is killed
/// is an outcome; the others go on. Children read nothing, and get SIGTERM when this process dies. Where there is no
/// place for the next job though nothing runs, it and those after it are not started, and the result is false.
///
/// When a stop is requested (harness/process/stop_signal.h), the children get SIGTERM, nothing new is started, and once
/// all have ended the result is false; `finished` is called for the jobs that were started. One that was too young to
/// listen ends by that signal.
bool run_jobs(const std::vector<Job>& jobs, int parallel, const JobEvents& events);

}  // namespace moe
