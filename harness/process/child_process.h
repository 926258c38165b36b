#pragma once
// One child process with its standard output and standard error on pipes.

#include <sys/types.h>

#include <string>
#include <vector>

namespace moe {

/// Starts the command on construction. A child that is still alive at destruction is sent SIGTERM and waited for.
class ChildProcess {
 public:
  /// Executes `program`, or command.front() where none is named. Standard input is empty. The child gets SIGTERM when
  /// the calling thread's process dies. A program that cannot be started says so on its standard error and ends with
  /// 127. `environment`: NAME=VALUE, each added to what the child inherits or in its place. Throws (machine_failed)
  /// when there is no process or pipe to be had.
  explicit ChildProcess(const std::vector<std::string>& command, const std::string& program = "",
                        const std::vector<std::string>& environment = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void send(int signal) const;

  /// What has arrived since the last call; never waits.
  std::string read_output() { return read_available(output_); }
  std::string read_error() { return read_available(error_); }

  /// Descriptors for poll(); -1 once the child has closed its end.
  int output() const { return output_; }
  int error() const { return error_; }
  /// Both ends are closed: the child is about to end.
  bool silent() const { return output_ < 0 && error_ < 0; }

  /// True once the child has ended; never waits.
  bool ended();
  /// As waitpid gives it; valid once ended() was true.
  int wait_status() const { return wait_status_; }

 private:
  static std::string read_available(int& descriptor);

  pid_t process_ = -1;  // -1 once reaped
  int output_ = -1;
  int error_ = -1;
  int wait_status_ = 0;
};

}  // namespace moe
