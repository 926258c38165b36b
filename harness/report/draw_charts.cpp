#include "harness/report/draw_charts.h"

#include "core/error.h"
#include "harness/process/command.h"

#include "generated/draw_charts_script.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

namespace moe {
namespace {

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
                     last_line(result.errors));  // a traceback ends with the exception
}

}  // namespace moe
