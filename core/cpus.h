#pragma once
// Processors as the system lends them to this process.

#include <filesystem>
#include <optional>

namespace moe {

/// Processors that this process can keep busy: those it may run on (taskset, a scheduler's cpuset), or whole ones of
/// what cpu_quota() allows if that is less; at least 1.
int usable_cpus();

/// Processors' time that control groups allow this process, 1.5 for example: the least that its own group or one above
/// it is given, by version 2 (cpu.max) or version 1 (cpu.cfs_quota_us). Nothing where none of them sets a limit.
/// `root` is where proc/self/cgroup and sys/fs/cgroup are.
std::optional<double> cpu_quota(const std::filesystem::path& root = "/");

}  // namespace moe
