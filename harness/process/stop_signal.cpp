#include "harness/process/stop_signal.h"

#include "core/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace moe {

namespace {

volatile std::sig_atomic_t requested = 0;  // the signal that asked
int wake_pipe[2] = {-1, -1};               // written by the handler, polled by the process pool

void note_stop(int signal) {
  const int saved_errno = errno;
  requested = signal;
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(wake_pipe[1], &byte, 1);  // a full pipe wakes just as well
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
  errno = saved_errno;
}

void empty_wake_pipe() {
  char bytes[64];
  while (read(wake_pipe[0], bytes, sizeof(bytes)) > 0) {
  }
}

}  // namespace

void install_stop_signals() {
  if (wake_pipe[0] < 0 && pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0) throw_system_error("a pipe", "be made");
  requested = 0;
  empty_wake_pipe();
  struct sigaction action = {};
  action.sa_handler = note_stop;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() {
  return requested != 0;
}

std::string stop_signal_name() {
  const char* name = sigabbrev_np(requested);
  return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", int{requested});
}

int stop_descriptor() {
  return wake_pipe[0];
}

}  // namespace moe
