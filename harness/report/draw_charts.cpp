#include "harness/report/draw_charts.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/process/child_process.h"

#include "generated/draw_charts_script.h"
#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
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

/// A Python, and the folder where it finds the renderer if not by itself.
struct Renderer {
  std::string python;
  std::string packages;
};

/// What MOE_BENCH_PYTHON names; else what `cmake --install` has put beside the program, or the virtual environment
/// beside the build folder that the program is in.
Renderer find_renderer() {
  if (const char* chosen = std::getenv("MOE_BENCH_PYTHON")) return {chosen, ""};
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::filesystem::path packages = folder.parent_path() / "lib/moe-bench/python";
  if (std::filesystem::exists(packages)) return {"python3", packages.string()};
  return {(folder.parent_path() / ".venv/bin/python").string(), ""};
}

/// A traceback's last line is the exception.
std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n");
  if (end == std::string::npos) return "it says nothing";
  return split(text.substr(0, end + 1), '\n').back();
}

}  // namespace

std::optional<std::string> draw_charts(const std::filesystem::path& folder) {
  const Renderer renderer = find_renderer();
  std::vector<std::string> command = {renderer.python, "-c", draw_charts_script, folder.string()};
  if (!renderer.packages.empty()) command.push_back(renderer.packages);
  const CommandResult result = run_command(command);
  if (result.status == 0) return std::nullopt;
  if (result.status == 127) {
    return fmt::format("The charts were not drawn: there is no Python at {} (MOE_BENCH_PYTHON names another).",
                       renderer.python);
  }
  return fmt::format("The charts were not drawn: {} ended with status {}: {}.", renderer.python, result.status,
                     last_line(result.errors));
}

}  // namespace moe
