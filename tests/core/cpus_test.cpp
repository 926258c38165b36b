#include "core/cpus.h"

#include "core/files.h"
#include "core/temporary_folder.h"
#include "tests/support/catch.h"
#include "tests/support/one_processor.h"

namespace moe {
namespace {

/// A made-up system: the process's groups, and files below sys/fs/cgroup.
std::optional<double> quota(const std::string& groups, const std::vector<std::pair<std::string, std::string>>& files) {
  const TemporaryFolder root;
  write_file(root.path() / "proc/self/cgroup", groups);
  for (const auto& [name, text] : files) write_file(root.path() / "sys/fs/cgroup" / name, text);
  return cpu_quota(root.path());
}

}  // namespace

TEST_CASE("a CPU quota of version 2 is that of the own group, or of one above it that has less") {
  CHECK(quota("0::/\n", {{"cpu.max", "150000 100000\n"}}) == 1.5);
  CHECK(quota("0::/a/b\n", {{"a/b/cpu.max", "max 100000\n"}, {"a/cpu.max", "200000 50000\n"}}) == 4);
  CHECK(quota("0::/a/b\n", {{"a/b/cpu.max", "50000 100000\n"}, {"a/cpu.max", "200000 100000\n"}}) == 0.5);
  CHECK(quota("0::/a/b\n", {{"a/b/cpu.max", "300000 100000\n"}, {"a/cpu.max", "200000 100000\n"}}) == 2);
  CHECK(quota("0::/a\n", {{"a/cpu.max", "max 100000\n"}, {"other/cpu.max", "100000 100000\n"}}) == std::nullopt);
}

TEST_CASE("a CPU quota of version 1 stands with the controller cpu, alone or with others") {
  const std::pair<std::string, std::string> period = {"cpu/a/cpu.cfs_period_us", "100000\n"};
  const std::string groups = "12:memory:/m\n4:cpu,cpuacct:/a\n3:cpuset:/\n0::/\n";
  CHECK(quota(groups, {period, {"cpu/a/cpu.cfs_quota_us", "250000\n"}}) == 2.5);
  CHECK(quota(groups, {period, {"cpu/a/cpu.cfs_quota_us", "-1\n"}}) == std::nullopt);
  CHECK(quota("1:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "30000\n"}, {"cpu/cpu.cfs_period_us", "10000\n"}}) == 3);
  // A container: the path is the host's, and its own group is what is mounted.
  CHECK(quota("1:cpu:/docker/1f\n", {{"cpu/cpu.cfs_quota_us", "100000\n"}, {"cpu/cpu.cfs_period_us", "50000\n"}}) == 2);
}

TEST_CASE("without groups, or with files that say nothing, there is no CPU quota") {
  CHECK(quota("", {{"cpu.max", "100000 100000\n"}}) == std::nullopt);
  CHECK(quota("0::/\n", {}) == std::nullopt);
  CHECK(quota("0::/\n", {{"cpu.max", ""}}) == std::nullopt);
  CHECK(quota("nonsense\n1:cpu\n", {{"cpu.max", "100000 100000\n"}}) == std::nullopt);
  const TemporaryFolder empty;
  CHECK(cpu_quota(empty.path()) == std::nullopt);
}

TEST_CASE("a process tied to one processor can use one") {
  CHECK(usable_cpus() >= 1);
  const OneProcessor tied;
  CHECK(usable_cpus() == 1);
}

}  // namespace moe
