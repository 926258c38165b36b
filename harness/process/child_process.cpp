#include "harness/process/child_process.h"

#include "core/error.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
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
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment,
                         const std::string& failure, pid_t parent, const Pipe& output, const Pipe& error) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // it died before prctl
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output.write_end, STDOUT_FILENO);
  dup2(error.write_end, STDERR_FILENO);
  execvpe(program, arguments, environment);
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, failure.data(), failure.size());
  _exit(127);
}

/// The texts as exec wants them, ended by a null pointer. They must outlive it.
std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// The environment of this process with what is added to it: variables of one name only once.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> environment = added;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced = !name.empty() && std::any_of(added.begin(), added.end(), [&](const std::string& other) {
      return other.starts_with(name);
    });
    if (!replaced) environment.emplace_back(text);
  }
  return environment;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::string& program,
                           const std::vector<std::string>& environment) {
  MOE_CHECK(!command.empty(), "A child process needs a command.");
  const std::vector<char*> arguments = pointers_to(command);
  const std::vector<std::string> variables = environment_with(environment);
  const std::vector<char*> variable_pointers = pointers_to(variables);
  const std::string failure = command.front() + ": cannot be started.\n";
  const char* const executed = program.empty() ? arguments.front() : program.c_str();
  const pid_t parent = getpid();
  Pipe output;
  Pipe error;

  process_ = fork();
  if (process_ < 0) throw_system_error(command.front(), "be started");
  if (process_ == 0) {
    become(executed, arguments.data(), variable_pointers.data(), failure, parent, output, error);
  }

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
