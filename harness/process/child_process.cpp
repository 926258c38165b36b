#include "harness/process/child_process.h"

#include "core/error.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace moe {

namespace {

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_system_error("a pipe", "be made");
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    if (read_end >= 0) close(read_end);
    close(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int take_read_end() { return std::exchange(read_end, -1); }
};

/// The child's side after fork(): only async-signal-safe calls, for other threads of the parent may hold any lock.
[[noreturn]] void become(const char* program, char* const* arguments, const std::string& failure, pid_t parent,
                         const Pipe& output, const Pipe& error) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // it died before prctl
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output.write_end, STDOUT_FILENO);
  dup2(error.write_end, STDERR_FILENO);
  execvp(program, arguments);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, failure.data(), failure.size());
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::string& program) {
  MOE_CHECK(!command.empty(), "A child process needs a command.");
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const std::string failure = command.front() + ": cannot be started.\n";
  const char* const executed = program.empty() ? arguments.front() : program.c_str();
  const pid_t parent = getpid();
  Pipe output;
  Pipe error;

  process_ = fork();
  if (process_ < 0) throw_system_error(command.front(), "be started");
  if (process_ == 0) become(executed, arguments.data(), failure, parent, output, error);

  output_ = output.take_read_end();
  error_ = error.take_read_end();
  fcntl(output_, F_SETFL, O_NONBLOCK);
  fcntl(error_, F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  if (output_ >= 0) close(output_);
  if (error_ >= 0) close(error_);
  if (process_ < 0) return;
  kill(process_, SIGTERM);
  while (waitpid(process_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::send(int signal) const {
  if (process_ >= 0) kill(process_, signal);
}

std::string ChildProcess::read_available(int& descriptor) {
  std::string text;
  std::array<char, 65536> bytes{};
  while (descriptor >= 0) {
    const ssize_t count = read(descriptor, bytes.data(), bytes.size());
    if (count > 0) {
      text.append(bytes.data(), static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && errno == EAGAIN) {
      break;
    } else {  // the other end is closed, or lost
      close(descriptor);
      descriptor = -1;
    }
  }
  return text;
}

bool ChildProcess::ended() {
  if (process_ >= 0 && waitpid(process_, &wait_status_, WNOHANG) == process_) process_ = -1;
  return process_ < 0;
}

}  // namespace moe
