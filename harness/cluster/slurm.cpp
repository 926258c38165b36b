#include "harness/cluster/slurm.h"

#include "core/error.h"
#include "core/text.h"
#include "harness/process/command.h"

#include <charconv>
#include <vector>

namespace moe {
namespace {

constexpr const char* spaces = " \t\r\n";

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(spaces);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

}  // namespace

std::optional<std::int64_t> max_array_size_in(const std::string& configuration) {
  for (const std::string& line : split(configuration, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || trimmed(line.substr(0, equals)) != "MaxArraySize") continue;
    const std::string digits = trimmed(line.substr(equals + 1));
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size()) return value;
  }
  return std::nullopt;
}

std::optional<std::int64_t> max_array_size() {
  const CommandResult answer = run_command({"scontrol", "show", "config"});
  return answer.status == 0 ? max_array_size_in(answer.output) : std::nullopt;
}

std::string job_number_in(const std::string& parsable) {
  return split(trimmed(parsable), ';').front();
}

std::string submit_job(const std::filesystem::path& script, const std::string& after) {
  std::vector<std::string> command = {"sbatch", "--parsable"};
  if (!after.empty()) command.push_back("--dependency=afterany:" + after);
  command.push_back(script.string());
  const CommandResult answer = run_command(command);
  if (answer.status == 0) return job_number_in(answer.output);
  const std::string reason = answer.status == 127 ? "there is no sbatch here." : last_line(answer.errors);
  throw Error(fmt::format("{}: was not submitted: {}", script.string(), reason), ExitStatus::machine_failed);
}

bool lists_pmix(const std::string& plugins) {
  for (const std::string& line : split(plugins, '\n')) {
    if (trimmed(line) == "pmix") return true;
  }
  return false;
}

SlurmFacts find_slurm() {
  const CommandResult version = run_command({"srun", "--version"});
  if (version.status == 127) return {.absent = "not installed"};
  if (version.status != 0) return {.absent = "installed, but it finds no cluster: " + last_line(version.errors)};
  const CommandResult plugins = run_command({"srun", "--mpi=list"});
  return {.version = trimmed(version.output), .pmix = lists_pmix(plugins.output + plugins.errors)};
}

}  // namespace moe
