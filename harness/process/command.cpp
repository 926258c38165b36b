#include "harness/process/command.h"

#include "core/text.h"
#include "harness/process/child_process.h"

#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <thread>

namespace moe {

CommandResult run_command(const std::vector<std::string>& command) {
  ChildProcess process(command);
  CommandResult result;
  while (!process.silent()) {
    std::array<pollfd, 2> ends = {pollfd{process.output(), POLLIN, 0}, pollfd{process.error(), POLLIN, 0}};
    poll(ends.data(), ends.size(), -1);
    result.output += process.read_output();
    result.errors += process.read_error();
  }
  while (!process.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  result.status = WIFEXITED(process.wait_status()) ? WEXITSTATUS(process.wait_status()) : 128;
  return result;
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return "it says nothing";
  return split(text.substr(0, end + 1), '\n').back();
}

}  // namespace moe
