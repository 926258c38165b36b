#include "harness/report/draw_charts.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/process/child_process.h"

#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace moe {
namespace {

struct CommandResult {
  int status = 0;      ///< exit status; 127 when the program could not be started, 128 when a signal ended it
  std::string errors;  ///< what it wrote to standard error
};

/// Runs a program and waits for it. Its standard output is dropped.
CommandResult run_command(const std::vector<std::string>& command) {
  ChildProcess process(command);
  CommandResult result;
  while (!process.silent()) {
    std::array<pollfd, 2> ends = {pollfd{process.output(), POLLIN, 0}, pollfd{process.error(), POLLIN, 0}};
    poll(ends.data(), ends.size(), -1);
    process.read_output();
    result.errors += process.read_error();
  }
  while (!process.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  result.status = WIFEXITED(process.wait_status()) ? WEXITSTATUS(process.wait_status()) : 128;
  return result;
}

std::filesystem::path python() {
  const char* chosen = std::getenv("MOE_BENCH_PYTHON");
  return chosen != nullptr ? std::filesystem::path(chosen)
                           : std::filesystem::path(MOE_BENCH_SOURCE_DIR) / ".venv/bin/python";
}

/// A traceback's last line is the exception.
std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return "it says nothing";
  return split(text.substr(0, end + 1), '\n').back();
}

}  // namespace

std::optional<std::string> draw_charts(const std::filesystem::path& folder) {
  const std::filesystem::path script = std::filesystem::path(MOE_BENCH_SOURCE_DIR) / "tools/draw_charts.py";
  if (!std::filesystem::exists(python())) {
    return fmt::format("The charts were not drawn: there is no Python at {} (MOE_BENCH_PYTHON names another).",
                       python().string());
  }
  const CommandResult result = run_command({python().string(), script.string(), folder.string()});
  if (result.status == 0) return std::nullopt;
  return fmt::format("The charts were not drawn: {} ended with status {}: {}.", script.string(), result.status,
                     last_line(result.errors));
}

}  // namespace moe
