#include "core/cpus.h"

#include "core/text.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace moe {
namespace {

namespace fs = std::filesystem;

/// Processors that the calling thread may run on.
int allowed_cpus() {
  for (std::size_t sets = 1; sets <= 1024; sets *= 2) {  // EINVAL says that the system's own set is larger
    std::vector<cpu_set_t> allowed(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, allowed.data()) == 0) return CPU_COUNT_S(bytes, allowed.data());
    if (errno != EINVAL) break;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// What one group's folder allows. Without a limit the quota is "max" (version 2) or -1 (version 1).
std::optional<double> quota_of(const fs::path& group) {
  double quota = 0, period = 0;
  if (!(std::ifstream(group / "cpu.max") >> quota >> period) &&
      !(std::ifstream(group / "cpu.cfs_quota_us") >> quota && std::ifstream(group / "cpu.cfs_period_us") >> period)) {
    return std::nullopt;
  }
  return quota > 0 && period > 0 ? std::optional(quota / period) : std::nullopt;
}

/// The least that the group `path` of the hierarchy mounted at `mount` is given, or one above it. A container may see
/// its own group as the mount, under a path that leads nowhere there.
std::optional<double> least_quota(const fs::path& mount, fs::path path) {
  std::optional<double> least;
  for (;; path = path.parent_path()) {
    const std::optional<double> quota = quota_of(mount / path);
    if (quota) least = std::min(*quota, least.value_or(*quota));
    if (path.empty()) return least;
  }
}

}  // namespace

std::optional<double> cpu_quota(const fs::path& root) {
  std::optional<double> least;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:cpu,cpuacct:/PATH" in version 1, "0::/PATH" in version 2
    const std::size_t begin = line.find(':') + 1, end = line.find(':', begin);
    if (begin == 0 || end == std::string::npos) continue;
    const std::vector<std::string> controllers = split(line.substr(begin, end - begin), ',');
    std::string mount = "sys/fs/cgroup";
    if (controllers != std::vector<std::string>{""}) {
      if (std::find(controllers.begin(), controllers.end(), "cpu") == controllers.end()) continue;
      mount += "/cpu";
    }
    const std::optional<double> quota = least_quota(root / mount, fs::path(line.substr(end + 1)).relative_path());
    if (quota) least = std::min(*quota, least.value_or(*quota));
  }
  return least;
}

int usable_cpus() {
  const int allowed = allowed_cpus();
  const std::optional<double> quota = cpu_quota();
  return std::max(1, quota && *quota < allowed ? static_cast<int>(*quota) : allowed);
}

}  // namespace moe
