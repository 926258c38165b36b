#include "harness/run/machine.h"

#include "core/cpus.h"
#include "core/memory.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include "generated/revision.h"
#include <fmt/chrono.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace moe {

std::string processor_fact(const std::vector<std::string>& keys) {
  std::ifstream facts("/proc/cpuinfo");
  for (std::string line; std::getline(facts, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return line.substr(std::min(colon + 2, line.size()));
  }
  return "";
}

void limit_threads() {
  if (std::getenv("OMP_NUM_THREADS") != nullptr || std::getenv("MKL_NUM_THREADS") != nullptr) return;
  if (at::get_num_threads() > usable_cpus()) at::set_num_threads(usable_cpus());
}

Json host_facts(const std::string& device, const std::string& gpu) {
  Json facts = {{"cpu", processor_fact({"model name"})},
                {"cores", usable_cpus()},
                {"threads", at::get_num_threads()},
                {"device", device}};
  if (!gpu.empty()) facts["gpu"] = gpu;
  return facts;
}

Json software_facts() {
  return {{"moe_bench", MOE_BENCH_VERSION},
          {"revision", MOE_BENCH_REVISION},
          {"libtorch", TORCH_VERSION},
          {"compiler", std::string("GCC ") + __VERSION__}};
}

std::int64_t peak_memory_bytes() {
  // The peak that getrusage knows begins with that of the process that started this one.
  return 1024 * system_number("/proc/self/status", "VmHWM:").value_or(0);
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace moe
